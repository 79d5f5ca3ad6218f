from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import delete, func, select, update

from registry.ledger import schema
from registry.ledger.feature_cache import EncryptedFeatureCache
from registry.ledger.ledger import Ledger
from tuni.errors import HomeError, UnusableScores

KEY = "f" * 64 + ":" + "a" * 64 + ":n"


def columns(n: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    return {
        "hidden.0": draw.normal(size=(n, 5)).astype(np.float32),
        "noise": draw.normal(size=(n, 1)).astype(np.float32),
    }


def test_what_was_put_comes_back_bit_for_bit(any_ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(any_ledger)
    texts = [f"Person Number{n}" for n in range(1100)]
    values = columns(1100)
    cache.put(KEY, texts, values)
    found = cache.get(KEY, ["Unknown Person", *reversed(texts)])
    assert set(found) == set(texts)
    for row, text in enumerate(texts):
        for name in values:
            assert found[text][name].dtype == np.float32
            np.testing.assert_array_equal(found[text][name], values[name][row])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=20, unique=True))
def test_every_spelling_has_features_of_its_own(ledger: Ledger, texts: list[str]) -> None:
    cache = EncryptedFeatureCache(ledger)
    key = f"{KEY}:{len(texts)}:{hash(tuple(texts))}"
    values = columns(len(texts))
    cache.put(key, texts, values)
    found = cache.get(key, texts)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(found[text]["noise"], values["noise"][row])


def test_unknown_family_text_and_spelling_give_nothing(ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(ledger)
    cache.put(KEY, ["Ada Lovelace"], columns(1))
    assert cache.get("other", ["Ada Lovelace"]) == {}
    assert cache.get(KEY, ["Grace Hopper", "ADA LOVELACE"]) == {}
    assert cache.get(KEY, []) == {}


def test_putting_twice_keeps_the_first(any_ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(any_ledger)
    cache.put(KEY, ["Ada Lovelace"], columns(1, seed=1))
    cache.put(KEY, ["Ada Lovelace", "Grace Hopper"], columns(2, seed=2))
    found = cache.get(KEY, ["Ada Lovelace", "Grace Hopper"])
    np.testing.assert_array_equal(found["Ada Lovelace"]["noise"], columns(1, seed=1)["noise"][0])
    assert len(found) == 2


def test_other_columns_under_the_same_family_are_refused(ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(ledger)
    cache.put(KEY, ["Ada Lovelace"], columns(1))
    with pytest.raises(HomeError, match="other columns"):
        cache.put(KEY, ["Grace Hopper"], {"noise": columns(1)["noise"]})


def test_columns_that_do_not_fit_the_texts_are_refused(ledger: Ledger) -> None:
    with pytest.raises(UnusableScores, match=r"shape \(2, 5\)"):
        EncryptedFeatureCache(ledger).put(KEY, ["Ada Lovelace"], columns(2))


def test_altered_value_is_an_error_and_not_a_recomputation(ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(ledger)
    cache.put(KEY, ["Ada Lovelace"], columns(1))
    with ledger.engine.begin() as connection:
        payload = connection.scalars(select(schema.features.c.payload)).one()
        damaged = bytes(payload[:-1]) + bytes([payload[-1] ^ 1])
        connection.execute(update(schema.features).values(payload=damaged))
    with pytest.raises(HomeError, match="altered"):
        cache.get(KEY, ["Ada Lovelace"])


def test_value_of_another_person_in_a_row_is_noticed(ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(ledger)
    cache.put(KEY, ["Ada Lovelace", "Grace Hopper"], columns(2))
    table = schema.features
    with ledger.engine.begin() as connection:
        payload = connection.scalar(select(table.c.payload).order_by(table.c.subject))
        connection.execute(update(table).values(payload=payload))
    with pytest.raises(HomeError, match="altered"):
        cache.get(KEY, ["Ada Lovelace", "Grace Hopper"])


def test_neither_text_nor_features_lie_in_clear_on_disk(ledger: Ledger) -> None:
    name = "Zebulon Quagmire"
    values = columns(1)
    EncryptedFeatureCache(ledger).put(KEY, [name], values)
    needles = [name.encode(), name.casefold().encode(), values["hidden.0"].tobytes()]
    mark = ledger.keys.pseudonym(name).encode()
    assert not _anywhere(ledger.home.root, needles)
    assert _anywhere(ledger.home.root, [mark])  # the search does find what is there


def test_removing_a_subject_removes_all_features_of_the_person(ledger: Ledger) -> None:
    cache = EncryptedFeatureCache(ledger)
    cache.put(KEY, ["Ada Lovelace", "ADA LOVELACE"], columns(2))
    cache.put("other", ["Ada Lovelace"], columns(1))
    people, table = schema.subjects, schema.features
    with ledger.engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(table)) == 3
        mark = ledger.keys.pseudonym("ada lovelace")
        connection.execute(delete(people).where(people.c.pseudonym == mark))
        assert connection.scalar(select(func.count()).select_from(table)) == 0


def _anywhere(folder: Path, needles: list[bytes]) -> bool:
    return any(
        needle in path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
    )
