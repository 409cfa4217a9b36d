"""Which strategy helps now, and which entry says it."""

import itertools
from dataclasses import replace

from bot.core.entries import Entry, choose_entry
from bot.core.guidance import UNHELPED_TURNS, decide_strategy, overrides_rules
from bot.core.reading import ContextReading, EmotionReading, RiskLevel, RiskReading
from bot.core.state import ConversationState
from bot.core.strategy import Stage, Strategy
from bot.core.turn import PersonTurn

SAD = EmotionReading(label="sadness", labels=("sadness",), valence=-0.5, confidence=0.8)
UNREAD = EmotionReading(label="neutral", abstained=True)


def turn(intent: str = "share_feeling", reading: EmotionReading | None = SAD, **more: object) -> PersonTurn:
    values = {"text": "words", "at": 0.0, "intent": intent, "intent_confidence": 0.9, "reading": reading}
    return PersonTurn(**{**values, **more})  # type: ignore[arg-type]


def strategies(turns: list[PersonTurn]) -> list[Strategy]:
    state = ConversationState()
    chosen = []
    for one in turns:
        state = state.after_person(one)
        decision = decide_strategy(state, one)
        state = state.after_decision(decision)
        assert decision.strategy is not None
        chosen.append(Strategy(decision.strategy))
    return chosen


def entry(entry_id: str, strategy: Strategy = Strategy.REFLECTION, **more: object) -> Entry:
    values = {
        "id": entry_id,
        "strategy": strategy,
        "topic": "work",
        "emotions": frozenset(),
        "not_for": frozenset(),
        "text": {"en": entry_id, "zh": entry_id},
    }
    return Entry(**{**values, **more})  # type: ignore[arg-type]


def near(strategy: str = "reflection", **similarity: float) -> dict[str, dict[str, float]]:
    return {strategy: {name.replace("_", "-"): value for name, value in similarity.items()}}


def choose(entries: list[Entry], candidates: dict[str, dict[str, float]], **more: object) -> str | None:
    values = {
        "strategy": Strategy.REFLECTION,
        "turn": turn(candidates=candidates),
        "earlier": [],
        "shown": set(),
    }
    choice = choose_entry({e.id: e for e in entries}, **{**values, **more})  # type: ignore[arg-type]
    return choice.entry.id if choice else None


def test_distress_is_met_with_comfort_before_anything_to_do() -> None:
    first, second, *_ = strategies([turn()] * 4)
    assert first.stage is not Stage.ACTION
    assert second.stage is not Stage.ACTION


def test_the_emotion_changes_the_strategy() -> None:
    (sad,) = strategies([turn(reading=SAD)])
    (unread,) = strategies([turn(reading=UNREAD)])
    assert sad is Strategy.REFLECTION
    assert unread is Strategy.QUESTION


def test_a_suggestion_comes_once_the_person_has_been_heard() -> None:
    assert Strategy.SUGGESTION in strategies([turn()] * 6)[2:]


def test_asking_for_help_gets_something_to_try() -> None:
    assert strategies([turn(), turn("ask_help")])[1] is Strategy.SUGGESTION


def test_what_did_not_help_is_not_repeated() -> None:
    first, second = strategies([turn("ask_help"), turn("not_helped")])
    assert second is not first
    assert second.stage is not Stage.ACTION


def test_the_same_strategy_never_comes_twice_in_a_row() -> None:
    chosen = strategies([turn()] * 12)
    assert all(a is not b for a, b in itertools.pairwise(chosen))


def test_every_decision_says_its_grounds() -> None:
    one = turn()
    decision = decide_strategy(ConversationState().after_person(one), one)
    assert any("distress" in ground for ground in decision.evidence)


def test_a_language_attune_does_not_speak_gets_an_honest_line() -> None:
    french = turn(reading=UNREAD, language="fr")
    assert decide_strategy(ConversationState().after_person(french), french).action == "utter_language"


def test_help_that_keeps_missing_leads_to_the_offer_of_a_person() -> None:
    state = ConversationState()
    missed = turn("not_helped")
    for _ in range(UNHELPED_TURNS):
        state = state.after_person(missed)
    decision = decide_strategy(state, missed)
    assert (decision.action, decision.level) == ("utter_offer_human", "offer")


def test_a_strategy_with_a_fitting_entry_wins_over_one_without() -> None:
    one = turn(candidates={"affirmation": {"a": 0.8}, "reflection": {"b": 0.1}})
    decision = decide_strategy(ConversationState().after_person(one), one)
    assert decision.strategy == "affirmation"
    assert any("an entry fits" in ground for ground in decision.evidence)


def test_a_greeting_in_distress_is_no_greeting() -> None:
    state = ConversationState()
    glad = EmotionReading(label="joy", valence=0.5, confidence=0.9)
    assert overrides_rules(state, turn("greet", SAD)) is not None
    assert overrides_rules(state, turn("greet", glad)) is None
    assert overrides_rules(state, turn("out_of_scope", None, intent_confidence=0.1)) is not None
    assert overrides_rules(state, turn("ask_privacy", SAD)) is None


def test_a_complaint_without_anger_amid_shared_feelings_is_none() -> None:
    sharing = ConversationState().after_person(turn())
    angry = EmotionReading(label="anger", valence=-0.5, confidence=0.9, ekman={"anger": 0.9})
    assert overrides_rules(sharing, turn("complaint", SAD)) is not None
    assert overrides_rules(sharing, turn("complaint", angry)) is None
    assert overrides_rules(ConversationState(), turn("complaint", SAD)) is None
    # Sad turns before make the context calmer than the words are; the words still complain.
    calmer = ContextReading(
        label="sadness", ekman={"anger": 0.1, "sadness": 0.7}, valence=-0.4, confidence=0.6
    )
    assert overrides_rules(sharing, turn("complaint", replace(angry, context=calmer))) is None
    assert overrides_rules(sharing, turn("complaint", replace(SAD, context=calmer))) is not None


def test_the_nearest_entry_of_the_strategy_is_chosen() -> None:
    entries = [entry("a"), entry("b"), entry("q", Strategy.QUESTION)]
    assert choose(entries, {**near(a=0.8, b=0.85), **near("question", q=0.9)}) == "b"


def test_another_strategy_stands_in_where_the_wanted_one_has_nothing() -> None:
    entries = [entry("q", Strategy.QUESTION), entry("s", Strategy.SUGGESTION)]
    found = {**near("question", q=0.85), **near("suggestion", s=0.9)}
    assert choose(entries, found) == "q"
    assert choose(entries, found, strategy=Strategy.INFORMATION) == "s"


def test_no_entry_is_ever_shown_twice() -> None:
    assert choose([entry("a"), entry("b")], near(a=0.58, b=0.6), shown={"b"}) == "a"
    assert choose([entry("a")], near(a=0.9), shown={"a"}) is None


def test_the_emotion_read_breaks_near_ties() -> None:
    entries = [entry("joy", emotions=frozenset({"joy"})), entry("sad", emotions=frozenset({"sadness"}))]
    assert choose(entries, near(joy=0.6, sad=0.57)) == "sad"


def test_an_entry_is_not_used_for_what_it_is_not_for() -> None:
    grief = EmotionReading(label="grief", labels=("grief",), valence=-0.6, confidence=0.8)
    barred = entry("cheer", not_for=frozenset({"grief"}))
    assert choose([barred], {}, turn=turn(reading=grief, candidates=near(cheer=0.9))) is None
    concern = RiskReading(RiskLevel.CONCERN, 0.3, None)
    careful = entry("light", not_for=frozenset({"concern"}))
    assert choose([careful], {}, turn=turn(risk=concern, candidates=near(light=0.9))) is None
    at_work = entry("office", not_for=frozenset({"workplace"}))
    assert choose([at_work], near(office=0.9), context="workplace") is None


def test_nothing_is_said_from_the_library_in_danger() -> None:
    crisis = RiskReading(RiskLevel.CRISIS, 1.0, None)
    assert choose([entry("a")], {}, turn=turn(risk=crisis, candidates=near(a=0.9))) is None


def test_an_honest_question_comes_back_when_nothing_fits() -> None:
    ask = entry("general-question", Strategy.QUESTION, topic="general")
    entries = {"a": entry("a"), ask.id: ask}
    choice = choose_entry(entries, Strategy.REFLECTION, turn(candidates=near(a=0.1)), [], set())
    assert choice is not None
    assert (choice.entry.id, choice.fits) == ("general-question", False)


def test_the_feeling_read_is_answered_when_the_situation_is_unknown() -> None:
    ask = entry("general-question", Strategy.QUESTION, topic="general")
    sad = entry("sad", topic="feelings", emotions=frozenset({"sadness"}))
    angry = entry("angry", topic="feelings", emotions=frozenset({"anger"}))
    assert choose([ask, angry, sad], {}) == "sad"
    assert choose([ask, angry, sad], {}, turn=turn(reading=UNREAD)) == "general-question"


def test_a_short_turn_leans_on_the_one_before() -> None:
    assert choose([entry("a"), entry("b")], near(a=0.1), earlier=[near(b=0.8)]) == "b"


def test_what_was_talked_about_breaks_near_ties() -> None:
    entries = [entry("w"), entry("s", topic="sleep"), entry("shown", topic="sleep")]
    assert choose(entries, near(w=0.6, s=0.56), earlier=[near(shown=0.9)], shown={"shown"}) == "s"


def test_an_entry_without_the_language_is_left_out() -> None:
    english = entry("a", text={"en": "hello"})
    assert choose([english], {}, turn=turn(reply_language="zh", candidates=near(a=0.9))) is None


def test_a_claim_has_to_be_nearer_than_a_question() -> None:
    entries = [entry("claim"), entry("q", Strategy.QUESTION)]
    assert choose(entries, {**near(claim=0.54), **near("question", q=0.52)}) == "q"


def test_a_claim_compared_by_letters_alone_has_to_be_nearer_still() -> None:
    entries = [entry("claim"), entry("general-question", Strategy.QUESTION, topic="general")]
    chinese = turn(reading=UNREAD, language="zh", reply_language="zh", candidates=near(claim=0.65))
    assert choose(entries, {}, turn=chinese) == "general-question"
    assert choose(entries, near(claim=0.65)) == "claim"


def test_asking_what_to_do_is_about_what_was_talked_about() -> None:
    entries = [
        entry("told"),
        entry("do-work", Strategy.SUGGESTION),
        entry("do-other", Strategy.SUGGESTION, topic="decision"),
    ]
    asked = turn("ask_help", candidates=near("suggestion", do_other=0.55))
    chosen = choose(
        entries, {}, turn=asked, strategy=Strategy.SUGGESTION, earlier=[near(told=0.7)], shown={"told"}
    )
    assert chosen == "do-work"


def test_another_topic_has_to_be_much_nearer() -> None:
    entries = [entry("told"), entry("more"), entry("other", topic="loneliness")]
    told = [near(told=0.7, more=0.65)]
    assert choose(entries, near(other=0.6), earlier=told, shown={"told"}) == "more"
    assert choose(entries, near(other=0.75), earlier=told, shown={"told"}) == "other"


def test_a_bare_yes_is_about_what_came_before_whatever_it_resembles() -> None:
    yes = turn("affirm", candidates=near(resembles=0.9))
    assert choose([entry("resembles"), entry("before")], {}, turn=yes, earlier=[near(before=0.7)]) == "before"


def test_what_is_far_behind_the_nearest_is_about_something_else() -> None:
    ask = entry("general-question", Strategy.QUESTION, topic="general")
    found = near(shown=0.8, far=0.55)
    assert choose([entry("shown"), entry("far"), ask], found, shown={"shown"}) == "general-question"
