"""What is to be seen of a page in a browser: pixels, and the table below them.

A page is what it was made of: its `grid` and its `visit` among it.
"""

import numpy as np

# Of 255 grey levels: those of the page and of the colour map are rounded.
SOME = 3
# A pixel lies a little beside the middle of its voxel; not so far that it is another's.
SHARP = "Object.values(page.panes).forEach((pane) => pane.nv.setInterpolation(true))"


def go_to(made, voxel):
    """Puts the cross-hair on a voxel of the fixed image, by its place in the world."""
    point = [*made.grid.to_world(np.array(voxel, float)), 0.0][:3]
    made.visit.run("goTo(fracOf(voxelOf(arguments[0])))", point)
    made.visit.settle()


def seen(made, role):
    """The colour at the cross-hair in each plane of an image, `(planes, 3)`."""
    places = made.visit.run(
        "const pane = page.panes[arguments[0]];"
        "const scale = pane.canvas.width / pane.canvas.clientWidth;"
        "return pane.tiles.map((t) => t.at(page.frac).map((v) => v / scale))",
        role,
    )
    picture = made.visit.pixels(f'.pane[data-role="{role}"] .view')
    return np.array([picture[int(y), int(x)] for x, y in places])


def grey(made, role, value):
    """The grey level that a value has in an image's window."""
    low, high = made.visit.run("return page.data.volumes[arguments[0]].window", role)
    return 255 * np.clip((value - low) / (high - low), 0, 1)


def read(made):
    """The table of what is at the cross-hair."""
    rows = made.visit.run(
        "return [...document.querySelectorAll('#readout tr')].map((row) =>"
        " [...row.cells].map((cell) => cell.textContent))"
    )
    return dict(rows)
