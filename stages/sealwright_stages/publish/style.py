"""The style sheet of a site's pages: quiet, dark and light, for a phone and for paper. Colours keep WCAG AA."""

CSS = """
:root{color-scheme:light dark;--ground:#fff;--raised:#f5f6f7;--line:#d5dade;--ink:#1c2126;--soft:#555e66;
--link:#0a55a0;--good:#17692f;--warn:#854f00}
@media(prefers-color-scheme:dark){:root{--ground:#14171a;--raised:#1d2125;--line:#363d44;--ink:#e3e6e9;--soft:#a5adb5;
--link:#8db9ee;--good:#82d19b;--warn:#efbc6c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2.5rem 1.25rem 3rem;max-width:68rem;background:var(--ground);color:var(--ink);
font:1rem/1.55 system-ui,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:break-word}
a{color:var(--link);text-underline-offset:.15em}
a:focus-visible,pre:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--ground)}
h1{margin:0;font-size:2rem;line-height:1.2;font-weight:650}
h2{margin:2.75rem 0 .75rem;font-size:1.25rem;line-height:1.3;font-weight:650}
h3{margin:1.5rem 0 .5rem;font-size:1rem;font-weight:650}
p{margin:.5rem 0;max-width:44rem}
.soft,footer,caption,dt{color:var(--soft)}
.crumbs{margin:0 0 .5rem;font-size:.9rem}
.good{color:var(--good)}
.warn{color:var(--warn)}
.note{border-left:3px solid var(--line);padding:.1rem 0 .1rem .9rem;color:var(--soft)}
code,pre{font-family:ui-monospace,"Cascadia Mono","DejaVu Sans Mono",monospace;font-size:.85em}
code{overflow-wrap:anywhere}
pre{margin:.75rem 0;padding:.8rem 1rem;background:var(--raised);border:1px solid var(--line);border-radius:6px;
overflow-x:auto;line-height:1.5}
pre code{font-size:1em;overflow-wrap:normal}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem 2rem;margin:1.5rem 0}
dl div{border-top:1px solid var(--line);padding-top:.5rem}
dt{font-size:.85rem}
dd{margin:0}
table{width:100%;border-collapse:collapse;margin:.5rem 0 1rem}
caption{text-align:left;font-size:.9rem;padding-bottom:.4rem;overflow-wrap:anywhere}
th,td{text-align:left;vertical-align:top;padding:.45rem 1rem .45rem 0;border-bottom:1px solid var(--line);
font-weight:400;overflow-wrap:anywhere}
td .good,td .warn,td .keep{white-space:nowrap}
thead th{font-size:.85rem;color:var(--soft);white-space:nowrap}
ul{padding-left:1.2rem;max-width:44rem}
footer{margin-top:3.5rem;padding-top:.75rem;border-top:1px solid var(--line);font-size:.9rem}
@media(max-width:46rem){
body{padding-top:1.5rem}
h1{font-size:1.6rem}
table,tbody,tr,th,td,caption{display:block}
thead{position:absolute;left:-99rem}
tr{border-bottom:1px solid var(--line);padding:.5rem 0}
th,td{border:0;padding:.1rem 0}
td[data-head]::before{content:attr(data-head) ": ";color:var(--soft);font-size:.85rem}
td:empty{display:none}
}
@media print{
:root{color-scheme:light;--ground:#fff;--raised:#fff;--line:#aaa;--ink:#000;--soft:#333;--link:#000;--good:#000;
--warn:#000}
body{max-width:none;padding:0;font-size:10pt}
pre{white-space:pre-wrap}
h2,h3{break-after:avoid}
tr,pre{break-inside:avoid}
.skip{display:none}
}
"""
