"""Random schemas of Avro with enums, bytes and records within records, and what is written with them."""

from __future__ import annotations

import math

__all__ = ["Schemas"]

_MILLIS = (-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999
_MICROS = (_MILLIS[0] * 1_000, _MILLIS[1] * 1_000 + 999)
_WHOLE = {  # numbers that mean something: the type that carries them, the lowest and the highest
    "date": ("int", -719_162, 2_932_896),
    "time-millis": ("int", 0, 86_399_999),
    "time-micros": ("long", 0, 86_399_999_999),
    "timestamp-millis": ("long", *_MILLIS),
    "timestamp-micros": ("long", *_MICROS),
    "local-timestamp-millis": ("long", *_MILLIS),
    "local-timestamp-micros": ("long", *_MICROS),
    "timestamp-nanos": ("long", -(2**63), 2**63 - 1),
    "local-timestamp-nanos": ("long", -(2**63), 2**63 - 1),
    "light-years": ("int", -5, 5),
}
_FIXED = {"uuid": 16, "duration": 12}
_PLAIN = {
    "boolean": lambda rng: rng.random() < 0.5,
    "int": lambda rng: rng.randint(-(2**31), 2**31 - 1),
    "long": lambda rng: rng.randint(-(2**63), 2**63 - 1) >> rng.randrange(64),
    "float": lambda rng: rng.choice([0.0, -0.0, 0.5, math.inf, math.nan]),
    "double": lambda rng: rng.choice([0.1, -0.0, 1e300, math.nan, rng.random()]),
    "string": lambda rng: rng.choice(["", "a", "\N{EURO SIGN}", "some text" * 9]),
    "bytes": lambda rng: rng.randbytes(rng.randrange(9)),
}


class Schemas:
    """Draws schemas, the same without logical types, which are written alike, and functions that draw values of these.

    Parameters
    ----------
    rng : random.Random
    wild : bool
        Whether some values are such that their logical type does not have them.
    """

    def __init__(self, rng, *, wild=False):
        self.rng, self.wild, self.count, self.named = rng, wild, 0, []

    def record(self, depth=0):
        name, fields, plain, draws = self.name(), [], [], {}
        for i in range(self.rng.randint(1, 4)):  # an enum first: of a flat schema, more is taken than fastavro does
            kind, bare, draws[f"f{i}"] = self.field(depth) if i or depth else self.enum()
            fields.append({"name": f"f{i}", "type": kind})
            plain.append({"name": f"f{i}", "type": bare})
        made = [{"type": "record", "name": name, "fields": f} for f in (fields, plain)]
        return *made, lambda: {name: draw() for name, draw in draws.items()}

    def field(self, depth):
        if self.named and self.rng.random() < 0.2:
            kind, bare, draw = self.rng.choice(self.named)
        elif depth < 3 and self.rng.random() < 0.3:
            kind, bare, draw = self.record(depth + 1)
            self.named.append((kind["name"], kind["name"], draw))
        else:
            drawn = self.enum, self.fixed, self.decimal, self.uuid, self.whole, self.plain, self.plain
            kind, bare, draw = self.rng.choice(drawn)()
        null = self.rng.randrange(4)
        if null < 2:
            pair = slice(None, None, 1 - 2 * null)
            return ["null", kind][pair], ["null", bare][pair], lambda: self.rng.choice([None, draw()])
        return kind, bare, draw

    def name(self):
        self.count += 1
        return f"N{self.count}"

    def plain(self):
        kind = self.rng.choice(sorted(_PLAIN))
        return kind, kind, lambda: _PLAIN[kind](self.rng)

    def enum(self):
        kind = {"type": "enum", "name": self.name(), "symbols": [f"s{i}" for i in range(self.rng.choice([1, 3, 99]))]}
        found = kind, kind, lambda: self.rng.choice(kind["symbols"])
        self.named.append((kind["name"], kind["name"], found[2]))
        return found

    def whole(self):
        logical = self.rng.choice(sorted(_WHOLE))
        base, low, high = _WHOLE[logical]
        ends = [low, high] if not self.wild or high >= 2**62 else [low - 1, low, high, high + 1]
        kind = {"type": base, "logicalType": logical}
        return kind, base, lambda: self.rng.choice([*ends, self.rng.randint(low, high)])

    def fixed(self):
        logical = self.rng.choice(["", *_FIXED])
        size = _FIXED.get(logical) or self.rng.choice([0, 1, 12, 16])
        kind = {"type": "fixed", "name": self.name(), "size": size}
        return kind | ({"logicalType": logical} if logical else {}), kind, lambda: self.rng.randbytes(size)

    def uuid(self):
        def draw():
            text = "-".join("".join(self.rng.choices("0123456789abcdefABCDEF", k=k)) for k in (8, 4, 4, 4, 12))
            return self.rng.choice([text[:-1], "{" + text + "}", text]) if self.wild else text

        return {"type": "string", "logicalType": "uuid"}, "string", draw

    def decimal(self):
        size = self.rng.choice([0, 0, 1, 8, 9, 16])  # 0 of bytes
        precision = int(math.log10(2) * (8 * size - 1)) if size else self.rng.choice([2, 9, 18, 38])
        bare = {"type": "fixed", "name": self.name(), "size": size} if size else {"type": "bytes"}
        more = {"logicalType": "decimal", "precision": precision, "scale": self.rng.randint(0, precision)}

        def draw():
            most = 10 ** self.rng.randint(0, precision) - 1
            whole = 10**precision if self.wild and self.rng.random() < 0.1 else self.rng.randint(-most, most)
            least = (whole if whole >= 0 else ~whole).bit_length() // 8 + 1
            return whole.to_bytes(size or least + self.rng.choice([0, 0, 1, 9]), signed=True)

        return bare | more, bare, draw
