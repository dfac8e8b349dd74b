"""What a hub's files may say about sources of type `rest`: lists that the hub asks for, page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nave.connectors.http.options import Dotted
from nave.core.units import Duration, Size

Param = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~$\[\]-]{1,100}$")]
"""The name of a query parameter."""


def _list_path(text: str) -> str:
    plain = text.startswith("/") and not text.startswith("//") and text.isprintable()
    if not plain or set(text) & set(" ?#{}\\"):
        raise ValueError("expected a path such as /customers, without a query; parameters go under params")
    return text


class Paging(BaseModel):
    """How to get from one page to the next."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["link", "cursor", "number", "offset"] = Field(
        description="link: an address in the answer; cursor: a value in the answer that goes into param; number: 1, 2, 3; "
        "offset: how many records to leave out"
    )
    path: Dotted | None = Field(
        default=None, description="Where the answer holds the link or cursor; links without it come from the Link header"
    )
    param: Param | None = Field(default=None, description="The query parameter of the cursor, the number or the offset")
    first: int = Field(default=1, ge=0, description="The number of the first page")
    pages: Dotted | None = Field(default=None, description="by: number: where the answer says how many pages there are")
    size_param: Param | None = Field(default=None, description="The query parameter that says how many records make a page")
    size: int = Field(default=200, ge=2, le=10_000, description="What it says")

    @model_validator(mode="after")
    def _complete(self) -> Paging:
        if self.by == "link" and self.param is not None:
            raise ValueError("expected no param: a link is complete")
        if self.by != "link" and self.param is None:
            raise ValueError(f"expected param beside by: {self.by}")
        if (self.by == "cursor") > (self.path is not None) or (self.by in ("number", "offset") and self.path is not None):
            raise ValueError("expected path beside by: cursor, and for links in the answer")
        if self.pages is not None and self.by != "number":
            raise ValueError("expected pages beside by: number only")
        return self


class Since(BaseModel):
    """How to ask only for what changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    param: Param = Field(description="The query parameter: updated_since")
    field: Dotted = Field(description="Where a record says when it changed: an ISO 8601 date or time, or a whole number")
    overlap: Duration | int = Field(
        default=timedelta(minutes=5),
        description="How far before the last change to ask again; records that became visible late lie there",
    )
    start: str | None = Field(default=None, max_length=100, description="What to ask for first; all, if left out")


class PullOptions(BaseModel):
    """A source: a list of records that the hub asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    get: Annotated[str, AfterValidator(_list_path), Field(max_length=1000)] = Field(description="What to GET: /customers")
    params: dict[Param, str] = Field(default_factory=dict, description="Query parameters of every call: sort, filters")
    items: Dotted | None = Field(default=None, description="Where the answer holds the records; left out, it is the list")
    key: Dotted | None = Field(default=None, description="Where a record says which one it is; needed for by: offset")
    page: Paging | None = Field(default=None, description="How to get from page to page; left out, there is one")
    since: Since | None = Field(default=None, description="How to ask only for what changed; left out, for all each time")
    max_answer: Size = Field(default=16 * 2**20, ge=1, description="The largest page that is read")
    max_pages: int = Field(default=10_000, ge=1, le=1_000_000, description="Pages of one read, at most")

    @model_validator(mode="after")
    def _tells_apart(self) -> PullOptions:
        if self.page is not None and self.page.by == "offset" and self.key is None:
            raise ValueError("expected key beside by: offset, to notice when the list moves while it is read")
        names = [*self.params, *([self.since.param] if self.since else [])]
        names += [name for name in (self.page.param, self.page.size_param) if name] if self.page else []
        if len(set(names)) < len(names):
            raise ValueError("expected each query parameter once")
        return self
