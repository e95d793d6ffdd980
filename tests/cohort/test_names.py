"""What pairs and their folders are called."""

from pathlib import Path

from dlir_tf.cohort.names import folder_names, pair_ids
from dlir_tf.pairs.manifest import Pair


def pair(fixed="f.nii.gz", moving="m.nii.gz", name=None):
    return Pair(Path(fixed), Path(moving), "here", id=name)


def names(*pairs):
    return folder_names(pairs, pair_ids(pairs))


def test_ids_that_will_do_are_kept():
    given = ["sub-01", "Müller", "a.b", "7", "x_y+z"]
    assert names(*(pair(name=name) for name in given)) == given


def test_unsafe_ids_become_safe_and_stay_apart():
    given = [
        "a/b",
        "a:b",
        "..",
        ".hidden",
        "con",
        "summary.csv",
        "a b",
        "x" * 300,
        "é" * 99,
    ]
    made = names(*(pair(name=name) for name in given))
    assert len({name.casefold() for name in made}) == len(given)
    for name in made:
        assert len(name.encode()) < 200
        assert not set(name) & set('/\\:*?"<>| ')
        assert not name.startswith(".")
        assert name.casefold() not in ("con", "summary.csv")
    assert names(*(pair(name=name) for name in reversed(given))) == made[::-1]


def test_ids_that_a_file_system_may_confuse_stay_apart():
    made = names(pair(name="A"), pair(name="a"), pair(name="b"))
    assert made[2] == "b"
    assert made[0].casefold() != made[1].casefold()


def test_without_ids_files_give_the_names():
    made = names(pair("a/f.nii.gz", "a/m.nii"), pair("a/f.nii.gz", "a/o.mha"))
    assert made == ["m_to_f", "o_to_f"]


def test_files_that_are_called_alike_are_told_apart_by_their_folders():
    made = names(
        pair("in/s1/t1.nii.gz", "in/s1/t2.nii.gz"),
        pair("in/s2/t1.nii.gz", "in/s2/t2.nii.gz"),
        pair("in/s2/t1.nii.gz", "in/s2/ct.nii.gz"),
    )
    assert made == ["s1-t2_to_s1-t1", "s2-t2_to_s2-t1", "ct_to_t1"]


def test_the_same_pair_twice_has_two_folders():
    assert names(pair(), pair()) == ["m_to_f", "m_to_f-2"]
    made = names(pair(name="a"), pair("g.nii.gz", name="a"))
    assert len(set(made)) == 2
    assert "a" not in made
