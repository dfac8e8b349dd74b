# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that tell of their changes; a part, such as an address, tells of the record that it belongs to."""

from trytond.pool import PoolMeta

from .gathering import gather


class _Tells:
    _belongs_to = None

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        if cls._belongs_to is None:
            gather(cls.__name__, [record.id for record in records])
            return
        parents = [getattr(record, cls._belongs_to) for record in records]
        for parent in filter(None, parents):
            gather(parent.__name__, [parent.id])


class Party(_Tells, metaclass=PoolMeta):
    __name__ = "party.party"


class Address(_Tells, metaclass=PoolMeta):
    __name__ = "party.address"
    _belongs_to = "party"


class Identifier(_Tells, metaclass=PoolMeta):
    __name__ = "party.identifier"
    _belongs_to = "party"


class ContactMechanism(_Tells, metaclass=PoolMeta):
    __name__ = "party.contact_mechanism"
    _belongs_to = "party"


class Template(_Tells, metaclass=PoolMeta):
    __name__ = "product.template"


class Product(_Tells, metaclass=PoolMeta):
    __name__ = "product.product"
    _belongs_to = "template"


class Bom(_Tells, metaclass=PoolMeta):
    __name__ = "production.bom"


class BomInput(_Tells, metaclass=PoolMeta):
    __name__ = "production.bom.input"
    _belongs_to = "bom"


class BomOutput(_Tells, metaclass=PoolMeta):
    __name__ = "production.bom.output"
    _belongs_to = "bom"


class Sale(_Tells, metaclass=PoolMeta):
    __name__ = "sale.sale"


class SaleLine(_Tells, metaclass=PoolMeta):
    __name__ = "sale.line"
    _belongs_to = "sale"
