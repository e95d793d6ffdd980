"""Small meshes in the formats that people have, some as VTK itself writes them."""

import base64
import struct
import zlib

import numpy as np

VERTICES = np.array([[10, 0, 0], [0, 12.5, 0], [0, 0, 15], [-1, -2, -3]])
NORMALS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [-0.6, -0.8, 0]])
TRIANGLES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])
COLOURS = np.arange(12).reshape(4, 3)

# Written by VTK 9.7.2: a point and four triangles with normals, and with values of
# points and of cells. The first and the last state SPACE=RAS.
_BINARY_51 = (
    r"c-oy(%}&BV5MDr0M_<6(B;H97@aE4_w%WMtHr-0XiBwvlp|+$fCf<AveHnZJeJ5KfCK!pvxqLIbl"
    r"W)J7{f_WKPq5=@&kUmgdqFx2lNejIIy5?{qHq|bn9TKbu4|}lYOqs>Drj4RI(_I+mn!C>EqOoB!I"
    r"qYA6*loMN<0k|$y(5>Z}pUr#S<Z~S^j!K2=tiaS_V^ijCGKvnUSkpp?;hOVXRM@uuecqU`QdD;aW"
    r"Y*?f=+Xfn46D6bf5dKmHSKrNC-|dj%f+{@j<c0?QkyOW)4R8}3(i84SkxAYU`KKuD)cxk8bo_g*w"
    r"B_I>`e&iPZlsRvAp@eZ0{5c#<uvJVJ-tY<rml6dsnbSsrxOA9PzHbEJbQ%9j5hr`KIBm$T6`o<o("
    r"w9Og%!JRjc^e6vWE-#mqTjBo`E)Jhx7X0mf!&K?$78{vG=kY8Y#eqK<j=dB}sa)CGuI}va!9H}EO"
    r"F#W=$gV8~%LWp(%M_%64_SNw!-JC$"
)
_BINARY_42 = (
    r"c-ozk%}&BV5XTpaU*i*ao5Z^b2p-j?EZVs3Hr-0XiBwvkp|+-MJ@Xp+GVlQUPImc7z{tf(Hktp-&"
    r"g3_<dx`IAik(0O-8hM`7v-}!OR;&?0G-GR^;RfoTMqU5(4jt+%tu%7zV^Wtmg7ro;wZ@i1r*7i(Z"
    r"^r<jgZBhkY(vF?+Jk(^L)!>66@H2GFT~(0lNKzaCG1LjSd@|dY!KBXk%Nl(c9c^yb31ce4uf$1&;"
    r"7+$|X8k{u(5+4foxApYtz$=nix(#yi-Jqa@U8#5%-bIZq3dEFHss(TZwIN_NO=>s78Xn;=cfsV7l"
    r"Q;^A}+iNJ+;dUgjsZF7cUGzyADt@__;JdLDR`u_<R7ayMs{`Gxes(k!{*X5HG=`0?nQ8*Y*f*eSt"
    r"YSfO7PfpL^9Bk&()xR)>?FxsL13A=Y67nd7(tZG)jc+0"
)
VTK_BINARY_51, VTK_BINARY_42 = (
    zlib.decompress(base64.b85decode(text)) for text in (_BINARY_51, _BINARY_42)
)
VTK_TEXT_51 = b"""\
# vtk DataFile Version 5.1
3D Slicer output. SPACE=RAS
ASCII
DATASET POLYDATA
POINTS 4 float
10 0 0 0 12.5 0 0 0 15
-1 -2 -3
VERTICES 2 1
OFFSETS vtktypeint64
0 1
CONNECTIVITY vtktypeint64
3
POLYGONS 5 12
OFFSETS vtktypeint64
0 3 6 9 12
CONNECTIVITY vtktypeint64
0 1 2 0 3 1 0 2 3
1 3 2
CELL_DATA 5
NORMALS Normals float
1 0 0 0 1 0 0 0 1
1 0 0 0 1 0
FIELD FieldData 1
id 1 5 long
0 1 2 3 4
POINT_DATA 4
SCALARS thick float
LOOKUP_TABLE default
0 0.25 0.5 0.75
NORMALS Normals float
1 0 0 0 1 0 0 0 1
-0.6 -0.8 0
FIELD FieldData 1
rgb 3 4 unsigned_char
0 1 2 3 4 5 6 7 8
9 10 11
METADATA
COMPONENT_NAMES
red
"""


def ply(order="", comment="made by hand", after=b""):
    """Vertices with normals and colours, triangles, and a tail of our own."""
    kind = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = f"""ply
format {kind} 1.0
comment {comment}
element vertex 4
property float x
property float y
property double z
property uchar red
property uchar green
property uchar blue
property float nx
property float ny
property float nz
element face 4
property list uchar int vertex_indices
element edge 1
property int vertex1
end_header
""".encode()
    if not order:
        rows = [
            [*vertex, *colour, *normal]
            for vertex, colour, normal in zip(VERTICES, COLOURS, NORMALS, strict=True)
        ]
        rows += [[3, *triangle] for triangle in TRIANGLES]
        text = "".join(" ".join(map(str, row)) + "\n" for row in [*rows, [7]])
        return head + text.encode() + after
    raw = b""
    for vertex, colour, normal in zip(VERTICES, COLOURS, NORMALS, strict=True):
        raw += struct.pack(order + "2fd3B3f", *vertex, *map(int, colour), *normal)
    for triangle in TRIANGLES:
        raw += struct.pack(order + "B3i", 3, *map(int, triangle))
    return head + raw + struct.pack(order + "i", 7) + after


def stl(binary, header="a mesh"):
    """Four triangles, each with a number of its own where the format has one."""
    if binary:
        raw = header.encode().ljust(80) + struct.pack("<I", 4)
        for number, triangle in enumerate(TRIANGLES):
            places = VERTICES[triangle].ravel()
            raw += struct.pack("<12fH", 0, 0, 0, *places, number)
        return raw
    text = f"solid {header}\n"
    for triangle in TRIANGLES:
        text += " facet normal 0 0 0\n  outer loop\n"
        text += "".join(
            f"   vertex {x:.6e} {y:.6e} {z:.6e}\n" for x, y, z in VERTICES[triangle]
        )
        text += "  endloop\n endfacet\n"
    return (text + f"endsolid {header}\n").encode()
