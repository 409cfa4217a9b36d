"""Words that people stretch, space out or spell with digits: what `wording` may safely turn back into.

Kept to words about how somebody feels, what they may do, and what is said most; a word is only worth
listing where a wrong guess would do no harm. Lower case, without apostrophes.
"""

from __future__ import annotations

from collections.abc import Mapping

PLAIN_WORDS: frozenset[str] = frozenset(
    """
    abuse abused ache adorable afraid aggressive alive alone always amazing anger angry annoyed annoying
    anorexia anxiety anxious arse ashamed ass assault awesome awful baby bad beat beautiful because best
    betrayed big bitch bleed bleeding blood bored boring boy breakup bro broke broken brother burn bye calm
    cancer cant care cheated cheating cold confused congrats cool crap crash crazy cried cry crying cursed
    cut cute cuts cutting dad damn dang day days dead death depressed depressing depression despair
    desperate destroy devastated die died disappointed disaster disgust disgusted disgusting disorder
    divorce done doomed dope drugs drunk dude dumb dying eat empty end everyone everything evil ew excited
    exhausted fail failed failure fake family fantastic fat fear feel feeling feels felt fight fine fool
    forever freak free friend friends frustrated fuck fucked fucking fun furious fury ghost girl give glad
    god gone good goodbye gorgeous grateful great grief grieving gross guilt guilty gun guys haha happy harm
    hate hated hates hating hell hello help helpless hey hi hmm home hope hopeless horrible hug hungry hurt
    hurting hurts idiot ill insane insomnia jealous joke joy keep kill killed killing kiss kms knife later
    leave left liar lie lied life like lmao lol lonely long look lord lose loser losing loss lost love loved
    lovely loves loving mad man mate mean men mental mess mind miserable miss missed mom morning mother mum
    murder myself need nervous never nice nightmare no nobody noone noose not nothing now nowhere numb oh
    okay omg ouch overdose overwhelmed pain painful panic pathetic perfect pills piss pissed play please
    plus poor pregnant pretty proud punch quit rage rape raped razor ready real really regret rejected relax
    relief relieved rip rope run sad sadness safe same save scared scary school scream screaming self sex
    shame shit shitty shocked shoot shooting shut shy sick silly sister sleep sleepless slit so sob sobbing
    sorry sos stab starve starving stay stfu stop stress stressed struggling stuck stupid suck sucks suffer
    suffering suicidal suicide super survive sweet tears terrible terrified thank thanks tired together
    toxic trapped trash trauma trust try ugh ugly unhappy upset useless very victim violence violent wait
    want warm way weak weed weird well what when whole why win wish wonderful woo wooh worried worry worse
    worst worthless wow wrong wtf yay yeah yell yes you
    """.split()  # noqa: SIM905
)

# Digits read aloud inside a word; each is one habit of writing, not a rule.
REBUS: Mapping[str, str] = {
    "b4": "before", "gr8": "great", "h8": "hate", "h8r": "hater", "l8": "late", "l8r": "later",
    "m8": "mate", "w8": "wait", "2day": "today", "2nite": "tonight", "2night": "tonight",
    "2moro": "tomorrow", "2morrow": "tomorrow", "4ever": "forever", "4eva": "forever", "4get": "forget",
    "4give": "forgive", "any1": "anyone", "every1": "everyone", "some1": "someone", "sum1": "someone",
    "str8": "straight", "h8ed": "hated", "h8s": "hates", "un4given": "unforgiven",
}  # fmt: skip

# Short words between them, to find the words again in "iwanttodie" once its letters are back together.
GLUE_WORDS: frozenset[str] = frozenset(
    """
    a about all am an and any are as at be been being but by can could did do does dont even ever every for
    from get go going got had has have he her here him his how i if im in is isnt it its ive just know make
    me more much my myself need of off on one or our out over she should than that the them then there they
    thing things think this to today too up us was we were will with wont would your
    """.split()  # noqa: SIM905
)
