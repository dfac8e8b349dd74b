"""An authority of a test's own, and the certificates that it signs: good ones, expired ones, others' ones."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; who trusts `certificate` trusts them."""

    folder: Path
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls, folder: Path) -> Authority:
        """A new one, its certificate in the folder."""
        authority = cls(folder, ec.generate_private_key(ec.SECP256R1()))
        (folder / "ca.pem").write_bytes(authority._signed("ca", authority.key, 1, None).public_bytes(Encoding.PEM))
        return authority

    @property
    def certificate(self) -> Path:
        """What a client is told to trust."""
        return self.folder / "ca.pem"

    def server(self, name: str, address: str = "127.0.0.1", days: int = 1) -> Path:
        """Certificate and key in one file, for a server at an address, good for so many days; none if negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self.folder / f"{name}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(self._signed(name, key, days, address).public_bytes(Encoding.PEM) + private)
        return path

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, days: int, address: str | None) -> x509.Certificate:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("ca"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if address is None:
            made = made.add_extension(_CA_USE, critical=True)
        else:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            made = made.add_extension(names, critical=False)
        return made.sign(self.key, hashes.SHA256())


_CA_USE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
