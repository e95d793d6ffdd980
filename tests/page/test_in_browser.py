"""A page in a real browser: what is seen is what NumPy has at that voxel."""

from dataclasses import replace

import numpy as np
import pytest
from browsers import Visit, open_browser
from made_pages import HOSTILE, flat_page, oblique_page
from seen_pages import SHARP, SOME, go_to, grey, read, seen
from selenium_actions import click_at

from dlir_tf.page import write_page


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def oblique(browser, tmp_path_factory):
    """An oblique, flipped, anisotropic pair, opened."""
    made = oblique_page()
    path = tmp_path_factory.mktemp("pages") / "oblique ünd <b>.html"
    write_page(path, made.contents)
    made.visit = Visit(browser, path).ready()
    made.visit.run(SHARP)
    made.first_words = made.visit.complaints(), made.visit.requests()
    return made


@pytest.fixture
def page(oblique):
    """The same, with nothing drawn above the images, side by side."""
    visit = oblique.visit
    for name in ("cross", "labels", "landmarks", "grid", "arrows", "jacobian"):
        if visit.run(f"return document.getElementById('draw-{name}').checked"):
            visit.run(f"document.getElementById('draw-{name}').click()")
    visit.press("1")
    visit.run("choose('other', 'moved')")
    visit.settle()
    return oblique


def test_a_page_opens_without_complaints_and_asks_nobody(oblique):
    complaints, requests = oblique.first_words
    assert complaints == []
    assert len(requests) == 1
    assert requests[0].startswith("file:")


@pytest.mark.parametrize("number", range(3))
def test_the_pixel_at_the_cross_hair_is_the_voxel(page, number):
    voxel = page.voxels[number]
    go_to(page, voxel)
    for role, array in page.arrays.items():
        expected = grey(page, role, array[tuple(voxel)])
        colours = seen(page, role)
        assert len(colours) == 3  # planes
        assert np.abs(colours - expected).max() <= SOME, role


def test_the_table_has_the_numbers_of_the_voxel(page):
    voxel = page.voxels[0]
    go_to(page, voxel)
    rows = read(page)
    place = page.contents.fixed.grid.to_world(np.array(voxel, float))
    names = {"fixed": "Fixed", "moving": "Moving, before", "moved": "Moved, after"}
    shown = [float(number) for number in rows["Place (RAS mm)"].split(",")]
    np.testing.assert_allclose(shown, place, atol=0.06)
    own = [float(number) for number in rows["Voxel of the fixed image"].split(",")]
    assert own == list(voxel)
    for role, array in page.arrays.items():
        value, label = rows[names[role]].split(", label ")
        assert float(value) == array[tuple(voxel)]
        assert int(label) == page.labels[role][tuple(voxel)]
    assert float(rows["Displacement"].removesuffix(" mm")) == pytest.approx(
        page.distance, abs=0.02
    )
    assert float(rows["Jacobian"]) == pytest.approx(1.0, abs=0.01)


def test_a_click_in_one_image_moves_all_cross_hairs(page):
    go_to(page, page.voxels[1])
    where = page.visit.run(
        "const [t] = page.panes.moving.tiles;"
        "return [t.left + t.width / 4, t.top + t.height / 4]"
    )
    click_at(page.visit, '.pane[data-role="moving"] canvas', *where)
    fracs = page.visit.run(
        "return Object.values(page.panes).map((p) => [...p.nv.scene.crosshairPos])"
    )
    before = page.visit.run(
        "return fracOf(voxelOf(arguments[0]))",
        page.contents.fixed.grid.to_world(np.array(page.voxels[1], float)).tolist(),
    )
    assert np.ptp(fracs, axis=0).max() < 1e-6
    assert np.abs(np.subtract(fracs[0], before)).max() > 0.05


@pytest.mark.parametrize("amount", [0, 40, 100])
def test_the_slider_blends(page, amount):
    go_to(page, page.voxels[2])
    page.visit.press("2")
    slide(page, amount)
    fixed, moved = (
        grey(page, role, page.arrays[role][tuple(page.voxels[2])])
        for role in ("fixed", "moved")
    )
    assert abs(fixed - moved) > 40  # or else there would be nothing to see
    expected = fixed + amount / 100 * (moved - fixed)
    assert np.abs(seen(page, "fixed") - expected).max() <= SOME


def slide(made, amount):
    made.visit.run(
        "const slider = document.getElementById('amount');"
        "slider.value = arguments[0]; slider.dispatchEvent(new Event('input'))",
        amount,
    )
    made.visit.settle()


def test_a_swipe_shows_fixed_left_and_the_other_right_of_its_line(page):
    voxel = tuple(page.voxels[2])
    go_to(page, voxel)
    page.visit.press("3")
    shares = page.visit.run(
        "return page.panes.fixed.tiles.map((t) =>"
        " (t.at(page.frac)[0] - t.left) / t.width)"
    )
    for plane, share in enumerate(shares):
        for beside, role in ((-0.05, "moved"), (0.05, "fixed")):
            slide(page, round(100 * (share + beside)))
            expected = grey(page, role, page.arrays[role][voxel])
            assert np.abs(seen(page, "fixed")[plane] - expected).max() <= SOME


def test_a_checkerboard_shows_both(page):
    go_to(page, page.voxels[2])
    page.visit.press("4")
    slide(page, 10)
    both = page.visit.pixels("#stage")
    alone = []
    page.visit.press("2")
    for amount in (0, 100):
        slide(page, amount)
        alone.append(page.visit.pixels("#stage"))
    differ = np.abs(alone[0] - alone[1]).max(axis=-1) > 20
    like = [np.abs(both - one).max(axis=-1)[differ] <= SOME for one in alone]
    assert like[0].mean() > 0.3
    assert like[1].mean() > 0.3
    assert (like[0] | like[1]).mean() > 0.9


def test_a_difference_is_one_of_grey_levels_before_and_after(page):
    voxel = tuple(page.voxels[2])
    go_to(page, voxel)
    page.visit.press("5")
    page.visit.run("document.getElementById('stage').style.setProperty('--gain', 1)")
    for role in ("moved", "moving"):
        page.visit.run("choose('other', arguments[0])", role)
        page.visit.run(
            "document.getElementById('stage').style.setProperty('--gain', 1)"
        )
        page.visit.settle()
        levels = [
            grey(page, which, page.arrays[which][voxel]) for which in ("fixed", role)
        ]
        assert np.abs(seen(page, "fixed") - abs(levels[0] - levels[1])).max() <= SOME


def test_a_click_on_a_landmark_goes_there(page):
    buttons = page.visit.browser.find_elements("css selector", "button.landmark")
    points = page.contents.landmarks.fixed
    assert len(buttons) == len(points)
    assert buttons[0].text == page.contents.landmarks.names[0] == HOSTILE
    for number in (1, 0):
        page.visit.run("arguments[0].click()", buttons[number])
        page.visit.settle()
        frac = page.visit.run("return [...page.panes.moved.nv.scene.crosshairPos]")
        expected = page.visit.run(
            "return fracOf(voxelOf(arguments[0]))", points[number].tolist()
        )
        np.testing.assert_allclose(frac, expected, atol=1e-5)


def test_keys_move_the_cross_hair_by_voxels(page):
    go_to(page, page.voxels[0])
    start = np.array(page.visit.run("return voxelAt(page.frac).map(Math.round)"))
    axial = (
        "const tile = page.panes.fixed.tiles.find((one) => one.normal === 2);"
        "return tile.at(page.frac)"
    )
    before = page.visit.run(axial)
    page.visit.press("ArrowRight")
    after = page.visit.run(axial)
    assert after[0] > before[0] + 1
    assert after[1] == pytest.approx(before[1])
    page.visit.press("ArrowLeft")
    for key, step in (("ArrowRight", [-1, 0, 0]), ("ArrowUp", [0, 1, 0]),
                      ("PageDown", [0, 0, -1])):  # fmt: skip
        page.visit.press(key)
        now = np.array(page.visit.run("return voxelAt(page.frac).map(Math.round)"))
        assert (now - start).tolist() == step  # the patient's left is on the right
        start = now


def test_what_planes_do_not_need_is_left_out(page):
    """Shaders that cast rays are idle, slopes aren't taken, values aren't counted."""
    rays, planes, low, high = page.visit.run(
        "const { nv, volume } = page.panes.moved;"
        "return [nv.renderShader.uniforms.rayDir, nv.sliceMMShader.uniforms.axCorSag,"
        " volume.global_min, volume.global_max]"
    )
    assert rays is None
    assert planes is not None
    limits = page.visit.run("return page.data.volumes.moved.limits")
    assert low <= limits[0] < limits[1] <= high
    made = page.visit.run(
        "const { nv } = page.panes.moved, { gl } = nv;"
        "const sizes = [], texStorage3D = gl.texStorage3D.bind(gl);"
        "gl.texStorage3D = (...given) => {"
        " sizes.push(given[2] === gl.RGBA8 ? given[3] : 0);"
        " return texStorage3D(...given); };"
        "nv.updateGLVolume(); delete gl.texStorage3D; return sizes"
    )
    wide = [size for size in made if size > 2]
    assert len(wide) == 1  # the image itself, in colours
    assert page.visit.run("return 'drawArrays' in page.panes.moved.nv.gl")
    own = "return Object.keys(page.panes.moved.nv.gl).includes('drawArrays')"
    assert not page.visit.run(own)  # what was left out is back


def test_what_is_drawn_appears_and_goes(page):
    go_to(page, page.voxels[2])
    count = (
        "const ink = page.panes[arguments[0]].ink;"
        "const all = ink.getContext('2d').getImageData(0, 0, ink.width, ink.height);"
        "let n = 0; for (let i = 3; i < all.data.length; i += 4) n += all.data[i] > 0;"
        "return n"
    )
    assert page.visit.run(count, "moved") == 0
    for key in ("g", "a", "l", "p"):
        page.visit.press(key)
        assert page.visit.run(count, "moved") > 30, key
        page.visit.press(key)
        assert page.visit.run(count, "moved") == 0, key


def test_names_are_text_whatever_is_in_them(oblique):
    visit = oblique.visit
    assert visit.run("return window.broken") is None
    assert visit.find("h1").text == oblique.contents.title
    assert HOSTILE in visit.find("aside").text
    assert visit.run("return document.querySelectorAll('aside b').length") == 0


def test_a_plane_shows_its_pixels_labels_and_folds(browser, tmp_path):
    made = flat_page()
    write_page(tmp_path / "flat.html", made.contents)
    made.visit = visit = Visit(browser, tmp_path / "flat.html").ready()
    visit.run(SHARP)
    visit.press("x")
    visit.press("l")
    for voxel in made.voxels:
        go_to(made, voxel)
        for role, array in made.arrays.items():
            colours = seen(made, role)
            assert len(colours) == 1  # plane
            assert np.abs(colours - grey(made, role, array[tuple(voxel)])).max() <= SOME
    go_to(made, made.fold)
    visit.press("j")
    visit.wait(lambda b: visit.run("return Boolean(page.panes.moved.jacobian)"))
    visit.settle()
    red, green, blue = seen(made, "fixed")[0]
    assert min(red, blue) > green + 60  # magenta
    assert read(made)["Jacobian"] == "fold"
    assert visit.complaints() == []


@pytest.mark.parametrize(("number", "drawn"), [(20, True), (21, False)])
def test_so_many_labels_that_they_hide_the_image_begin_without_outlines(
    number, drawn, browser, tmp_path
):
    made = flat_page()
    labels = np.arange(made.contents.fixed.array.size) % (number + 1)
    labels = labels.reshape(made.contents.fixed.shape).astype(np.uint8)
    both = made.contents.fixed.with_array(labels)
    contents = replace(made.contents, fixed_labels=both, moving_labels=both)
    write_page(tmp_path / "many.html", contents)
    visit = Visit(browser, tmp_path / "many.html").ready()
    assert visit.run("return document.getElementById('draw-labels').checked") == drawn
    assert visit.complaints() == []
