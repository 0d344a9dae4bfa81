"""Writes versions.txt and specifiers.txt: what the packaging library makes of versions and specifiers.

Run it here with any Python that has packaging, and look at the difference:

    python3 versions.py

versions.txt has a line for each text: the text, its normal form, its public version, its base version, and its place
in the order of all (equal versions share one), or "invalid". specifiers.txt begins with the versions, one for each
column; then come the specifiers, each with a y or an n for every version, or "invalid".
"""

import itertools
import packaging
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

RELEASES = ["0", "1", "1.0", "1.0.0", "1.1", "1.10", "1.2.3", "2.0", "3", "3.0", "3.0.1", "2024.1", "1!1.0", "1!0.9"]
SUFFIXES = ["", "a1", "b2", "rc1", ".dev0", ".post0", ".post1", "a1.dev2", "a1.post1", ".post1.dev3", "+local.1", "a1+x", ".post1+cu126", ".dev0+g12"]
SPELLINGS = """
1.0alpha 1.0.ALPHA1 1.0_beta-2 1.0-c3 1.0preview4 1.0.pre 1.0RC1 1.0-rc.1 1.0r4 1.0-r4 1.0.rev 1.0-4 1.0_post5 1.0.POST.6 1.0DEV 1.0-dev7
v1.0 V1.0 v1 01.002.0 00!1 2!1 1.0a01 1.0a. 1.0a- 1.0.post. 1.0a.post1 1.0a1-1 1.0+Ubuntu-1 1.0+ubuntu.01 1.0+1_a 1.0+A.B.c 1.0+10 1.0+9 1.0+a 1.0+1.a
1.0+1 1.0+abc.5 1.0+abc.10 99999999999999999999.1 1.99999999999999999999 20241231 1.0rc9 1.0rc10 1.0.0.0.1
1..0 1. .1 1.0x 1.0p1 1.0- 1.0+ 1.0++a 1.0+a..b 1.0+a_ +a a1 v vv1 1!2!3 !1 1! 1.0.*  1.0a1b2 1.0dev1a1 1.0.post1.post2 1.0+é ١.0 dog 1,0 1:0 -1 1.0-1-2 1.0.dev1.post1
""".split() + ["", " 1.0 ", "\t1.0\n", "1 .0", "1.0 a1", "1.0 + a"]
ODD = """
=1 1.0 ==1.0.*.* ==1.0a1.* ==1.0.post1.* ==1.0.dev1.* ==1.0+a.* >=1.0.* ~=1.0.* <1.* ~=1 ~=1!1 ~=1.0+a >=1.0+a <1.0+a >1.0+a <=1.0+a ==1.0+A-B !=1.0+a ===1.0.* ==* ===
===1 ===1.0 ===1.0+LOCAL.1 ===foo ~=v1.0 ==v1 ==1.0.0.* ==1!1.* !=1!* !=1!1.* ==01.* ==1.00.* ==1.-1 >dog ==1-1 >=1-r2 ==1,0
""".split() + ["", ",", " == 1.0 ", "==1.0,", ",!=1.0", ">=1,<2", ">=1.0,!=1.1,<3", "~=1.1,!=1.2.*", ">1 , <3.0", "==1. 0", "> =1", "=== 1.0", "==1.0;", ">=1 <2", "==1.0.*,!=1.0.0"]


def version_lines(texts):
    parsed = {}
    for text in texts:
        try:
            parsed[text] = Version(text)
        except InvalidVersion:
            pass
    order = sorted(set(parsed.values()))
    for text in texts:
        if text in parsed:
            v = parsed[text]
            yield "\t".join([repr_of(text), str(v), v.public, v.base_version, str(order.index(v))])
        else:
            yield repr_of(text) + "\tinvalid"


def repr_of(text):
    """A text on one line, as Go's strconv.Quote writes these."""
    return '"' + text.replace("\t", "\\t").replace("\n", "\\n") + '"'


def verdicts(spec, versions):
    try:
        found = SpecifierSet(spec)
    except InvalidSpecifier:
        return "invalid"
    return "".join("y" if found.contains(v, prereleases=True) else "n" for v in versions)


def main():
    texts = [r + s for r, s in itertools.product(RELEASES, SUFFIXES)]
    with open("versions.txt", "w", encoding="utf-8") as out:
        print("# made by versions.py with packaging " + packaging.__version__, file=out)
        for line in version_lines(texts + SPELLINGS):
            print(line, file=out)

    columns = [t for t in texts if not t.startswith("2.0")]
    bases = ["1", "1.0", "1.0.0", "1.1", "1.2.3", "3", "3.0", "1!1.0", "2024.1"]
    ends = ["", "a1", "rc1", ".dev0", ".post0", ".post1", "a1.dev2", "a1.post1", ".post1.dev3"]
    specs = [op + base + end for op in ["==", "!=", "<=", ">=", "<", ">", "~="] for base in bases for end in ends]
    specs += [op + base + end for op in ["==", "!="] for base in bases for end in [".*", "+local.1", ".post1+cu126", "a1+x"]]
    specs += ["===" + t for t in columns[::7]]
    with open("specifiers.txt", "w", encoding="utf-8") as out:
        print("# made by versions.py with packaging " + packaging.__version__, file=out)
        print("\t".join(columns), file=out)
        for spec in specs + ODD:
            print(repr_of(spec) + "\t" + verdicts(spec, columns), file=out)


main()
