import numpy as np

from tuni.judging.forms import Forms
from tuni.texts.kind import text_kind


def test_the_largest_of_a_text_s_forms_counts():
    forms = Forms.of(text_kind("phone"), ["+12125550142", "no number", "+13125550142"])
    assert len(forms.texts) == 7
    assert forms.starts.tolist() == [0, 3, 4]
    assert forms.largest(np.arange(7.0)[::-1]).tolist() == [6.0, 3.0, 2.0]
    assert forms.largest(np.array([1.0, 5.0, 2.0])).tolist() == [5.0]  # of the first text alone


def test_a_name_is_asked_as_it_stands():
    forms = Forms.of(text_kind("name"), ["Ada Roe", "Bo Lind"])
    assert forms.texts == ("Ada Roe", "Bo Lind")
    assert forms.largest(np.array([2.0, 1.0])).tolist() == [2.0, 1.0]
