r"""The closed list of units: words that may follow a number and leave its value alone.

Whatever else follows a number is mathematics (`4cd`) or prose (`4 is wrong`): it is never cut off. Words that change the
number (dozen, pair, half, quarter, hundred, squared, times) are no units. Of a key without a unit, any unit of the list may
follow the answer; of a key with one, the same or none: `4 km` is not `4 m`.
"""

from __future__ import annotations

import re

_MEASURES = """
mm millimeter millimetre | cm centimeter centimetre | dm decimeter decimetre | m meter metre | km kilometer kilometre
in inch inches | ft foot feet | yd yard | mi mile | mg milligram | g gram | kg kilogram kilo | ton tonne | oz ounce
lb pound | ml mL milliliter millilitre | L liter litre | gal gallon | qt quart | pt pint | cup | tbsp tablespoon
tsp teaspoon | ms millisecond | s sec second | min minute | h hr hour | day | week | month | year yr | decade
century centuries | rad radian | N newton | J joule | kJ kilojoule | W watt | kW kilowatt | V volt | A amp ampere
Hz hertz | Pa pascal | K kelvin | mph | kph | cent | euro | rupee | yen | yuan | peso | acre | ha hectare | calorie kcal | byte
"""
_COUNTED = """
animal ant apple article baby bag ball balloon banana bar basket bead bean bear bee bike bill bird block book bottle bouquet
box boy brick brother brownie bucket bug bus bushel button cake can candle candy car card carrot cat chair chapter cherry
chicken child children chocolate choice circle class clip coin container cookie cow crate crayon cupcake customer desk dime
dish doctor dog doll donut door dot dress drink duck edge egg element employee envelope event face factor family fan farmer
fence fish flower fly friend fruit game gem gift girl glass glove goal goat grape group guest hat head hen hole home horse
house integer item jar jelly job key kid kitten lamp lap leaf leaves leg lemon lesson letter light line loaf loaves lollipop
lunch machine magazine man marble match meal member men message mice mouse movie muffin nickel nut olive onion orange outcome
pack package packet page painting pan pancake panel paper parrot part passenger path patient pea peach pear pen pencil penny
people person pet phone photo picture piece pie pig pill pizza plane plant plate player point pool post pot potato potatoes
present prize problem pumpkin puppy question rabbit rectangle ribbon ring room rope rose row sandwich seat seed serving sheep
shell shirt shoe shop shot sibling sister slice snack sock solution song spider sticker stick stone store story stamp star
step strawberry student subset sweater table teacher team ticket tile tomato tomatoes toy train tree triangle trip truck
turtle unit vase vehicle vertex vertices video visit visitor vote walnut watch watermelon way wheel window woman women word worker
"""
_DOLLAR, _DEGREE, PERCENT = "$", "deg", "%"
MEASURES = {
    name: names.split()[0] for names in re.split(r"[|\n]", _MEASURES) if names.strip() for name in names.split()
}
COUNTED = frozenset(_COUNTED.split())
OTHERS = {
    "dollar": _DOLLAR,
    "usd": _DOLLAR,
    "buck": _DOLLAR,
    "degree": _DEGREE,
    "percent": PERCENT,
    "percentage": PERCENT,
}
_WRAPPER = r"\\(?:text|mbox|mathrm|textbf|mathbf|textit|operatorname)\s*\{([^{}]*)\}"
_CUT = re.compile(  # the number, a gap, words with an exponent
    r"(.*?(?:[\d}).]|\\pi))(\s*)(\^\{?\\circ\}?\s*[CF]?|\\?%|[A-Za-z][A-Za-z ./]*?)(?:\s*\^\{?([23])\}?)?\s*", re.DOTALL
)
_CURRENCY = re.compile(r"([-+]?)\s*(\\\$|€|£|\\pounds?\b|\\euro?\b)\s*(?=[\d.\\-])")


def unwrapped(text: str) -> str:
    r"""The text with what stands in `\text{}` and its like as plain words.

    >>> unwrapped(r"15\mbox{ cm}^2")
    '15  cm ^2'
    """
    return re.sub(_WRAPPER, r" \1 ", text)


def split_unit(text: str, is_key: bool = False) -> tuple[str, str | None]:
    r"""What is left without a unit at its end (or a currency before it), and the unit; None where there is none.

    One letter is a unit only in `\text{}` or, in an answer, after a space; elsewhere it is a variable.

    >>> split_unit(r"15\,\mbox{ cm}^2"), split_unit("60 miles per hour"), split_unit(r"\$18.90")
    (('15', 'cm^2'), ('60', 'mi/h'), ('18.90', '$'))
    >>> split_unit("4cd"), split_unit("4 squared"), split_unit("4 m"), split_unit("4 m", is_key=True)
    (('4cd', None), ('4 squared', None), ('4', 'm'), ('4 m', None))
    """
    plain = re.sub(r"\\[,;: ](?=\s*[A-Za-z])", " ", unwrapped(text)).strip()
    if match := _CURRENCY.match(plain):
        unit = {"\\$": _DOLLAR, "€": "euro"}.get(match[2], "euro" if "eur" in match[2] else "pound sterling")
        return match[1] + plain[match.end() :].strip(), unit
    match = _CUT.fullmatch(plain.rstrip("."))
    unit = _named(match[3].strip(), match[4] or "") if match else None
    if unit is None:
        return plain, None
    is_letter = len(match[3].strip()) == 1 and match[3].isalpha() and "{" not in text[len(match[1]) :]
    if is_letter and (is_key or not match[2]):
        return plain, None
    return match[1].strip(), unit


def _named(words: str, power: str) -> str | None:
    """The unit that the words name, in one spelling; None where any word is not in the list."""
    if "circ" in words:
        return _DEGREE + words.rstrip()[-1:].strip("}c") if words.rstrip()[-1:] in "CF" else _DEGREE
    if words.endswith("%"):
        return PERCENT
    parts = []
    for part in re.split(r"\s*/\s*|\s+per\s+", words):
        shape = re.fullmatch(r"(?:(square|sq|cubic|cu)\b\.?\s*)?(\w+)\.?(?:\s+(celsius|fahrenheit|[CF]))?", part, re.I)
        name = _name(shape[2]) if shape else None
        if name is None or (shape[3] and name != _DEGREE):
            return None
        raised = {"s": "2", "c": "3"}[shape[1][0].lower()] if shape[1] else power
        scale = shape[3][0].upper() if shape[3] else ""
        parts.append(name + scale + (f"^{raised}" if raised and name != "#unit" else ""))
    return "/".join(parts)


def _name(word: str) -> str | None:
    if word in MEASURES:
        return {"mph": "mi/h", "kph": "km/h"}.get(word, MEASURES[word])
    low = word.lower()
    for single in (low, low.removesuffix("s"), low.removesuffix("es"), re.sub("ies$", "y", low)):
        if single in OTHERS:
            return OTHERS[single]
        if len(single) > 1 and single in MEASURES:
            return MEASURES[single]
        if single in COUNTED:
            return f"#{single}"
    return None


def compatible(found: str | None, wanted: str | None) -> bool:
    """Whether an answer in the unit `found` can be right for a key in the unit `wanted`; None is no unit.

    >>> compatible("km", "m"), compatible("km", None), compatible(None, "m"), compatible("deg", "degC")
    (False, True, True, True)
    """
    if found is None or wanted is None or found == wanted:
        return True
    return _DEGREE in (found, wanted) and found.startswith(_DEGREE) and wanted.startswith(_DEGREE)


def says_nothing(unit: str) -> bool:
    """Whether votes leave the unit aside: dollars, degrees and what is counted are in every answer or in none.

    >>> says_nothing("$"), says_nothing("#apple"), says_nothing("km")
    (True, True, False)
    """
    return unit in (_DOLLAR, _DEGREE) or unit.startswith("#")
