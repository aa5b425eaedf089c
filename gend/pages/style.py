"""How a report looks, on light paper and on dark. Its plots take `currentColor` and `--line` from here."""

STYLE = """
:root {
    color-scheme: light dark; --paper: #ffffff; --ink: #1d2126; --faint: #5d6670; --line: #d4d8dd;
    --box: #f5f6f8; --warn: #fff6df; --warn-line: #d9a521;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --ink: #e4e7ea; --faint: #9aa3ad; --line: #3a4149; --box: #1e2328; --warn: #2b2514;
    --warn-line: #b98d1f;
}
}
* { box-sizing: border-box; }
body {
    margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 84rem; background: var(--paper); color: var(--ink);
    font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1rem 0 .2rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.card {
    display: flex; align-items: center; gap: .9rem; padding: .7rem 1.1rem; background: var(--box);
    border-radius: .5rem;
}
.card b { font-size: 2rem; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: .85rem; line-height: 1.4; }
aside {
    background: var(--warn); border-left: 4px solid var(--warn-line); border-radius: .3rem;
    padding: .7rem 1.2rem .8rem; margin: 1.2rem 0;
}
aside h2 { margin: 0 0 .3rem; font-size: 1rem; }
aside ul { margin: 0; padding-left: 1.1rem; }
aside li { margin: .25rem 0; }
.wide { overflow-x: auto; }
table {
    border-collapse: collapse; font-size: .84rem; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums;
}
th, td { padding: .32rem .36rem; text-align: right; vertical-align: top; white-space: nowrap; }
thead th:not([scope]) { text-align: left; }
thead th { border-bottom: 2px solid var(--line); color: var(--faint); font-weight: 600; cursor: default; }
th[scope=row], th:first-child, .text { text-align: left; }
.names .text { white-space: normal; }
th[scope=row] { font-weight: 600; position: sticky; left: 0; background: var(--paper); }
tr.total th[scope=row] { background: var(--box); }
.names th, .names td { text-align: left; }
tbody tr.new > *, tbody tr.total > * { border-top: 1px solid var(--line); }
tr.total { background: var(--box); }
td small { display: block; color: var(--faint); font-size: .72rem; }
td.sure { font-weight: 650; }
td.none { color: var(--faint); text-align: left; }
.part { font-weight: 400; padding-left: .9rem; }
details { border-top: 1px solid var(--line); padding: .2rem 0; }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; font-weight: 600; padding: .4rem 0; }
figure { margin: .5rem 0 1rem; }
figure svg { display: block; width: 100%; max-width: 62rem; height: auto; }
figure svg text { font-family: inherit; }
pre { background: var(--box); padding: .8rem 1rem; overflow-x: auto; border-radius: .3rem; font-size: .8rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; }
.small { color: var(--faint); font-size: .8rem; }
@media print { details > * { display: block; } body { max-width: none; } }
"""
