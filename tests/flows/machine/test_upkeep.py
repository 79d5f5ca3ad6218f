"""Erasing what a person's texts left behind."""

import numpy as np
import pytest

from flows.machine.home import open_ledger
from flows.machine.settings import Settings
from flows.machine.upkeep import forget_people
from registry.ledger.feature_cache import EncryptedFeatureCache
from tuni.texts.kind import text_kind

CANARIES = {
    "phone": "+12125550142",
    "email": "ada.roe@mail.org",
    "address": "12 Oak Street, Dayton",
    "username": "ada_roe",
}


@pytest.mark.parametrize("kind", CANARIES)
def test_every_way_that_was_asked_is_forgotten(kind, tmp_path):
    settings, other = Settings(home=tmp_path / "home"), "Bo Lind"
    settings.home.mkdir(mode=0o700)
    forms = [*text_kind(kind).forms(CANARIES[kind]), other]
    with open_ledger(settings) as ledger:
        columns = {"hidden.norm": np.ones((len(forms), 1), dtype=np.float32)}
        EncryptedFeatureCache(ledger).put("key", forms, columns)
        assert len(EncryptedFeatureCache(ledger).get("key", forms)) == len(forms)
    forgotten = forget_people([CANARIES[kind]], settings, keep_key=True)
    assert (forgotten.asked, forgotten.known, forgotten.traces) == (1, 1, ())
    with open_ledger(settings) as ledger:
        assert set(EncryptedFeatureCache(ledger).get("key", forms)) == {other}
