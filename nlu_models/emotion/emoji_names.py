"""Short English words for emoji, as they are used today: what an uncased WordPiece vocabulary can read.

Where an emoticon says the same, the emoji becomes that emoticon: the two are used alike (in GoEmotions a
heart goes with love, gratitude and admiration just as "<3" does), so that a model learns both from either,
and a full word would say more than the emoji does ("laughing" is amusement; a laughing face is often only
politeness). Only emoji that carry a feeling, or whose Unicode name misleads, are listed; others are read by
their Unicode name. Keys have no variation selector, skin tone or gender sign.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

EMOJI: Mapping[str, str] = {
    # laughing and smiling
    "😂": "XD", "🤣": "XD", "😹": "XD", "😆": "XD", "😅": ":D",
    "😀": ":D", "😃": ":D", "😄": ":D", "😁": ":D", "😊": ":)",
    "☺": ":)", "🙂": ":)", "😇": ":)", "😉": ";)", "😺": ":)",
    "😸": ":D", "🙃": "ironic :)", "😌": ":)", "😋": ":P", "😛": ":P", "😜": ":P",
    "😝": ":P", "🤪": ":P", "😏": ";)", "😼": ";)", "😎": ":)", "🤓": "nerd",
    "🥳": "celebrating", "🤠": "cheerful", "🫠": "melting embarrassed", "🤭": "giggle", "🫢": "shocked",
    # love and care
    "😍": "<3", "🥰": "<3", "😻": "<3", "😘": "<3", "😗": "<3", "😙": "<3",
    "😚": "<3", "😽": "<3", "💋": "kiss", "🤗": ":)", "🫂": "hug", "🤩": "excited wow",
    "❤": "<3", "♥": "<3", "♡": "<3", "🧡": "<3", "💛": "<3",
    "💚": "<3", "💙": "<3", "💜": "<3", "🩷": "<3", "🩵": "<3",
    "🩶": "<3", "🤎": "<3", "🖤": "<3", "🤍": "<3", "💕": "<3",
    "💞": "<3", "💓": "<3", "💗": "<3", "💖": "<3", "💘": "<3",
    "💝": "<3", "💟": "<3", "❣": "<3", "💌": "love letter", "🫶": "love heart hands",
    "❤\u200d🔥": "burning love", "❤\u200d🩹": "healing heart", "💔": "heartbroken", "🥀": "wilted rose",
    "🌹": "rose", "🥹": "moved to tears", "🥺": "pleading", "😢": ":'(", "😿": ":'(",
    # sadness, tiredness, pain
    "😭": ":'(", "😞": "disappointed", "😔": ":(", "😟": "worried", "😕": ":/", "🙁": ":(",
    "☹": ":(", "😣": "struggling", "😖": "distressed", "😫": "exhausted", "😩": "weary", "😥": ":(",
    "😓": "stressed", "😪": "sleepy", "😴": "sleeping", "🥱": "bored", "🤒": "sick", "🤕": "hurt",
    "🤧": "sneezing", "😷": "sick", "🥲": "smiling through tears", "😮\u200d💨": "sigh", "💧": "tear",
    "🌧": "rain", "⛈": "storm", "🫥": "invisible", "🫤": ":/", "😶": "speechless",
    "😶\u200d🌫": "lost in fog",
    # anger and disgust
    "😠": "angry", "😡": "furious", "🤬": "swearing angry", "😤": "frustrated", "👿": "angry devil",
    "😈": "evil grin", "😾": "angry", "💢": "angry", "🖕": "fuck you", "👊": "fist bump", "🤢": "disgusted",
    "🤮": "vomiting disgusted", "🙄": "eye roll", "😒": "annoyed", "😑": ":|", "😐": ":|",
    "🤦": "facepalm", "💩": "shit", "🤡": "clown", "🗑": "trash", "🚩": "red flag", "👎": "thumbs down",
    # fear, surprise, doubt
    "😱": "screaming", "😨": "scared", "😰": "anxious", "😧": "horrified", "😦": "shocked", "😮": ":O",
    "😯": ":O", "😲": ":O", "😳": "embarrassed", "🤯": "mind blown", "😵": "dizzy",
    "😵\u200d💫": "dizzy", "🥴": "drunk", "😬": ":/", "🫣": "peeking embarrassed", "🙀": "shocked",
    "🫨": "shaking", "🥶": "freezing", "🥵": "hot", "🤔": "hmm", "🤨": "suspicious", "🧐": "curious",
    "🤷": "shrug", "🫡": "salute respect", "🤫": "quiet", "🤐": "silent", "🤥": "lying",
    "🙈": "embarrassed", "🙉": "embarrassed", "🙊": "oops", "👀": "looking", "❓": "?", "❔": "?",
    "❗": "!", "❕": "!", "‼": "!!", "⁉": "!?",
    # death, as a joke more often than not
    "💀": "dead XD", "☠": "dead", "👻": "ghost", "⚰": "coffin", "🪦": "grave", "🔪": "knife",
    "💊": "pill", "🩸": "blood", "🔫": "gun", "🪢": "knot", "🩹": "bandage",
    # hands and bodies
    "👍": "good", "👌": "good", "🙏": "thanks", "👏": "well done", "🙌": "hooray", "💪": "strong",
    "✌": "peace", "🤞": "fingers crossed", "🤝": "agreed", "✊": "solidarity", "🤙": "call me",
    "👋": "wave", "🤘": "rock on", "🤟": "love you", "👉": "pointing", "👈": "pointing", "👆": "this",
    "☝": "this", "👇": "pointing", "✋": "stop", "🤚": "stop", "🛑": "stop", "💅": "sassy", "💁": "sassy",
    "🙋": "raising hand", "🙅": "no", "🙆": "good", "🙇": "sorry", "🤌": "perfect", "🧎": "kneeling",
    "💃": "dancing", "🕺": "dancing", "🫰": "money",
    # praise and cheer
    "🔥": "nice", "💯": "absolutely", "🎉": "celebration", "🎊": "celebration", "🥂": "cheers",
    "🍻": "cheers", "🎂": "birthday", "🎁": "gift", "✨": "sparkle", "⭐": "star", "🌟": "star",
    "🌈": "rainbow", "☀": "sun", "🌞": "sunny", "🏆": "winner", "🥇": "winner", "👑": "queen",
    "💎": "precious", "🚀": "rocket", "🐐": "the greatest", "✅": "yes", "✔": "yes", "✓": "yes",
    "❌": "no", "❎": "no", "🚫": "no", "🆗": "ok", "🆘": "help", "💤": "sleeping", "💦": "sweat",
    "💥": "explosion", "💨": "dash", "💫": "dizzy", "💭": "thought", "💬": "speech", "🎶": "music",
    "🎵": "music", "♪": "music", "♫": "music",
    # families and flags
    "👪": "family", "🏳\u200d🌈": "pride flag", "🏳\u200d⚧": "pride flag", "💏": "kiss", "💑": "couple in love",
}  # fmt: skip

# Drawn with characters rather than one; where they are drawn with letters a tokenizer can't know them.
KAOMOJI: Mapping[str, str] = {
    "¯\\_(ツ)_/¯": "shrug", "¯\\\\_(ツ)_/¯": "shrug", "¯_(ツ)_/¯": "shrug", "¯\\(ツ)/¯": "shrug",
    "( ͡° ͜ʖ ͡°)": "smirk", "(͡° ͜ʖ ͡°)": "smirk", "ಠ_ಠ": "disapproving look", "ʕ•ᴥ•ʔ": "cute bear",
    "(╯°□°)╯︵ ┻━┻": "flipping table angry", "(╯°□°）╯︵ ┻━┻": "flipping table angry",
    "┬─┬ノ( º _ ºノ)": "calm", "(ﾉ◕ヮ◕)ﾉ*:･ﾟ✧": "celebrating", "ヽ(´▽`)/": "happy", "(づ｡◕‿‿◕｡)づ": "hug",
    "(；﹏；)": "crying", "(´；ω；`)": "crying", "(ಥ﹏ಥ)": "crying", "ಥ_ಥ": "crying", "(ง'̀-'́)ง": "fight",
}  # fmt: skip

UNNAMED = "emoji"
MOST_REPEATS = 2  # of one emoji: a row of ten says no more

_SELECTORS = "\ufe0e\ufe0f\U0001f3fb-\U0001f3ff"
_GENDER = "\u2640\u2642"
_REGIONAL = "\U0001f1e6-\U0001f1ff"
_PICTURE = (
    "\u203c\u2049\u231a\u231b\u23e9-\u23fa\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55"
    "\U0001f000-\U0001f12f\U0001f18e-\U0001f1e5\U0001f200-\U0001fbff"
)
_ONE = (
    f"(?:[{_REGIONAL}][{_REGIONAL}]?|[0-9#*]\ufe0f?\u20e3"
    f"|[{_PICTURE}][{_SELECTORS}\U000e0020-\U000e007f]*(?:\u200d[{_PICTURE}][{_SELECTORS}]*)*)"
)
_HINT = re.compile(f"[{_PICTURE}{_REGIONAL}\u20e3]")
_EMOJI = re.compile(_ONE)
_RUN = re.compile(rf"{_ONE}(?:[ \u200d\ufe0f]*{_ONE})*")
_DROPPED = re.compile(f"[{_SELECTORS}\U000e0020-\U000e007f]|\u200d[{_GENDER}]")
_FILLER = frozenset({"face", "with", "sign", "symbol", "emoji", "black", "heavy", "white", "of", "the"})
_FAMILY = frozenset("👨👩🧑👦👧👶")
_KAOMOJI = re.compile("|".join(sorted(map(re.escape, KAOMOJI), key=len, reverse=True)))


def spell_emoji(text: str) -> str:
    """The text with words for its emoji and for the commonest faces drawn with characters.

    The words stand apart from what is around them, and one emoji repeated is written `MOST_REPEATS` times.
    Skin tones and gender signs are left out, flags are called "flag", and an emoji without a name "emoji".
    """
    text = _KAOMOJI.sub(lambda found: f" {KAOMOJI[found[0]]} ", text)
    return _RUN.sub(lambda run: _spell_run(run, text), text) if _HINT.search(text) else text


def _spell_run(run: re.Match[str], text: str) -> str:
    said: list[str] = []
    for found in _EMOJI.finditer(run[0]):
        words = _words_for(found[0])
        if words and said[-MOST_REPEATS:] != [words] * MOST_REPEATS:
            said.append(words)
    before = "" if run.start() == 0 or text[run.start() - 1].isspace() else " "
    after = "" if run.end() == len(text) or not text[run.end()].isalnum() else " "
    return before + " ".join(said) + after


@lru_cache(maxsize=4096)
def _words_for(emoji: str) -> str:
    plain = _DROPPED.sub("", emoji)
    listed = EMOJI.get(plain) or EMOJI.get(plain[:1])
    if listed or not plain:  # nothing is left of a skin tone on its own
        return listed or ""
    if "\u20e3" in emoji:
        return emoji[0]
    if "\U0001f1e6" <= plain <= "\U0001f1ff\U0001f1ff":
        return "flag" if len(plain) == 2 else chr(ord(plain) - 0x1F1E6 + ord("a"))
    if len(plain) > 1 and set(plain) <= _FAMILY | {"\u200d", "\u2764", "\U0001f48b"}:
        return "family"
    name = unicodedata.name(plain[:1], UNNAMED).lower().replace("-", " ").split()
    return " ".join(word for word in name if word not in _FILLER) or UNNAMED
