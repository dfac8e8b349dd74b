"""What a hub's files may say about connections and sinks of type `nc` and `u8`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size

LONGEST_ID = 50
"""ASCII characters of `bill@id` that every NC is known to keep."""
Meaning = Literal["accepted", "duplicate", "rejected", "retry", "code", "setup"]


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected an address of ASCII characters without spaces")
    return text.rstrip("/")


Url = Annotated[str, AfterValidator(_url), Field(max_length=1000)]
Parameter = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s&#?]+$")]
Path_ = Annotated[str, Field(pattern=r"^/[\x21-\x22\x24-\x3e\x40-\x7e]{0,500}$")]
Encoding = Literal["utf-8", "gbk", "gb2312", "gb18030"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Model):
    """Where the server is, and how long it is waited for."""

    url: Url = Field(description="The server, without the path: http://nc.example:8080")
    user: str | None = Field(default=None, min_length=1, description="User name for HTTP Basic, where a proxy asks for it")
    password: SecretStr | None = Field(default=None, description="Its password")
    ca: Path | None = Field(default=None, description="Certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long a connection may take to come about")
    idle: Duration = Field(default=timedelta(seconds=60), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one post may take altogether")
    max_answer: Size = Field(default=4 * 2**20, ge=1, description="The largest receipt that is read")

    @model_validator(mode="after")
    def _complete(self) -> Server:
        if (self.user is None) != (self.password is None):
            raise ValueError("expected user and password together")
        return self


class Service(Server):
    """A servlet that takes documents."""

    encoding: Encoding = Field(
        default="utf-8", description="How documents are sent; answers are read by what their bytes are, whatever they say"
    )
    sender: Parameter | None = Field(
        default=None, description="The code under which this hub is registered there; in place of the document's own"
    )


class TextCall(_Model):
    """A web service of the site's own, with one text in and one text out."""

    operation: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")] = Field(
        description="The operation: importXml"
    )
    argument: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")] = Field(
        default="string", description="What the WSDL calls its argument"
    )
    namespace: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,500}$")] = Field(
        description="The targetNamespace of the WSDL: http://itf.nc/IImportService"
    )


class NcOptions(Service):
    """An exchange platform of NC, by HTTP."""

    path: Path_ = Field(default="/service/XChangeServlet", description="The servlet")
    account: Parameter | None = Field(default=None, description="The account set (账套编码); goes before the document's own")
    groupcode: Parameter | None = Field(default=None, description="NC 6x and NCC: the group's code (集团编码)")
    receiver: Parameter | None = Field(
        default=None, description="NC 5x and U8 Cloud: the company, or company@book for vouchers (公司编码, 主体账簿)"
    )
    operator: Parameter | None = Field(default=None, description="Key of a user, where NC says 不正确的用户类型 without one")
    langcode: Parameter | None = Field(default=None, description="Language of the receipts: simpchn")
    service: TextCall | None = Field(
        default=None,
        description="Call a web service at `path`, /uapws/service/nc.itf.IImport, that takes the document as one text",
    )

    @property
    def query(self) -> dict[str, str]:
        """What goes into the address; each overrides the attribute of that name in the document."""
        named = ("account", "groupcode", "receiver", "operator", "langcode")
        return {name: value for name in named if (value := getattr(self, name)) is not None}


class NcFilesOptions(_Model):
    """An exchange platform of NC, by the folders that it imports from and writes its receipts to."""

    send: Path = Field(description="The folder that NC imports from, on this machine or mounted: ./nc/in")
    receipts: Path = Field(description="The folder that NC writes its receipts to: ./nc/receipts")
    encoding: Encoding = Field(default="utf-8", description="How documents are written")
    sender: Parameter | None = Field(default=None, description="The code under which this hub is registered there")
    account: Parameter | None = Field(default=None, description="The account set (账套编码); goes before the document's own")
    groupcode: Parameter | None = Field(default=None, description="NC 6x and NCC: the group's code (集团编码)")
    receiver: Parameter | None = Field(default=None, description="NC 5x and U8 Cloud: the company, or company@book")
    wait: Duration = Field(
        default=timedelta(seconds=2),
        description="How long a receipt is waited for; a later one is found at the next try",
    )
    again: Duration = Field(
        default=timedelta(hours=1),
        description="When a document that NC took and said nothing of is put there once more, under the same id",
    )
    max_answer: Size = Field(default=4 * 2**20, ge=1, description="The largest receipt that is read")

    @property
    def query(self) -> dict[str, str]:
        """What goes into the document's head in place of its own."""
        named = ("account", "groupcode", "receiver")
        return {name: value for name in named if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _two_folders(self) -> NcFilesOptions:
        if self.send == self.receipts:
            raise ValueError("expected another folder for receipts than for documents")
        return self


class U8Options(Service):
    """An EAI of U8, by HTTP."""

    path: Path_ = Field(default="/u8eai/import.asp", description="The page")

    @property
    def query(self) -> dict[str, str]:
        """Nothing goes into the address."""
        return {}


class TextRule(_Model):
    """What a refusal means, by words of its description."""

    says: str = Field(
        min_length=1,
        max_length=200,
        description="Words of the description; * stands for anything, {code} and {archive} for what is to be told of",
    )
    means: Meaning = Field(description="What it means; `code`: an archive does not know a code")
    archive: str | None = Field(default=None, max_length=100, description="Which archive, where the words do not tell")

    @model_validator(mode="after")
    def _once(self) -> TextRule:
        if self.says.count("{code}") > 1 or self.says.count("{archive}") > 1 or not self.says.strip("* "):
            raise ValueError("expected words, and {code} and {archive} once at most")
        return self


class BillSinkOptions(_Model):
    """A sink: one document per record."""

    document: str = Field(
        default="document",
        min_length=1,
        max_length=200,
        description="The field of the mapped record that holds the document",
    )
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]{1,16}$")] = Field(
        default="NAVE", description="What ids of documents begin with; each hub that sends to the same server needs its own"
    )
    texts: list[TextRule] = Field(
        default_factory=list, max_length=100, description="What refusals mean by their words, before what Nave knows itself"
    )
    codes: dict[Annotated[str, Field(max_length=20)], Meaning] = Field(
        default_factory=dict, description="What result codes mean, where words do not say otherwise"
    )
    settle: Duration = Field(
        default=timedelta(seconds=10), description="How long a document is left alone whose receipt was lost, cut or late"
    )
    concurrency: int = Field(default=4, ge=1, le=64, description="Posts at the same time, at most")


class NcSinkOptions(BillSinkOptions):
    """A sink of NC."""

    bills: int = Field(default=1, ge=1, le=200, description="Bills in a post; NC takes all of them or none")

    @property
    def idempotent(self) -> bool:
        """NC refuses a repeat of what it has (replace N), and updates the same document (replace Y)."""
        return True


class U8SinkOptions(BillSinkOptions):
    """A sink of U8."""

    idempotent: bool = Field(
        default=False,
        description="U8 refuses a second document of that number or code; false makes lost answers unknown outcomes",
    )

    @property
    def bills(self) -> int:
        """U8 takes one document."""
        return 1


class NccOptions(Server):
    """An application of NC Cloud's OpenAPI."""

    client_id: Parameter = Field(description="The application's id, as NCC shows it")
    client_secret: SecretStr = Field(description="Its secret")
    public_key: Annotated[str, Field(min_length=100, max_length=2000, pattern=r"^[A-Za-z0-9+/=]+$")] = Field(
        description="Its public key, as NCC shows it: base64 in one line"
    )
    biz_center: Parameter = Field(description="The account set (账套编码)")
    generation: Literal["1909", "2005"] = Field(
        default="2005", description="2005 and later encrypt by OAEP and sign with a salt; earlier ones do neither"
    )
    salted_calls: bool | None = Field(
        default=None, description="Whether calls are signed with the salt too; as the token is, if left out. Sources differ"
    )
    usercode: Parameter | None = Field(default=None, description="The user in whose name it works")
    dsname: Parameter | None = Field(default=None, description="The data source, where there are several")


class NccSinkOptions(_Model):
    """A sink: one call per record, with the mapped record as JSON."""

    path: Path_ = Field(description="What is called: /nccloud/api/so/saleorder/save")
    key_path: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")] | None = Field(
        default=None, description="Where the answer holds the key that NCC gave: data.pk"
    )
    idempotent: bool = Field(
        default=False,
        description="NCC refuses or overwrites a repeat of this call; false makes lost answers unknown outcomes",
    )
    texts: list[TextRule] = Field(
        default_factory=list, max_length=100, description="What refusals mean by their words, before what Nave knows itself"
    )
    settle: Duration = Field(
        default=timedelta(seconds=10), description="How long a record is left alone after a lost answer"
    )
