"""The look, in one place: colours that follow the system, spacing in steps of 4 px, tabular numerals."""

from __future__ import annotations

from typing import Final

FAVICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" '
    'fill="#1263c4"/><path d="M4 5h8M8 5v7" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>'
)

_COLOURS: Final = """
:root { color-scheme: light dark;
  --bg: #f5f6f8; --card: #fff; --line: #dfe3e8; --soft: #eef0f3; --ink: #171b20; --ink2: #57606b;
  --accent: #1263c4; --ok: #19774a; --busy: #1263c4; --warn: #8a5b00; --bad: #bf2633; --idle: #57606b;
  --s0: #1263c4; --s1: #b3570b; --s2: #19774a; --s3: #8a3fb8; --s4: #b02a63; --s5: #3c6f7d; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #0f1317; --card: #161b21; --line: #2b323b; --soft: #20262e; --ink: #e7eaee; --ink2: #9aa5b1;
  --accent: #62a8f5; --ok: #4cc48d; --busy: #62a8f5; --warn: #e0b04a; --bad: #fb7d83; --idle: #9aa5b1;
  --s0: #62a8f5; --s1: #f0a35e; --s2: #4cc48d; --s3: #c795ee; --s4: #f088b3; --s5: #7fbccb; } }
"""

_FRAME: Final = """
body, body.body--dark { background: var(--bg); color: var(--ink);
  font: 400 14px/1.45 Roboto, system-ui, sans-serif;
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased; }
.nicegui-content { padding: 0; gap: 0; align-items: stretch; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent) !important; outline-offset: 2px; border-radius: 4px; }
.top { background: var(--card); border-bottom: 1px solid var(--line); }
.top > div { max-width: 1440px; margin: 0 auto; padding: 10px 24px; display: flex; flex-wrap: wrap;
  align-items: center; gap: 4px 24px; }
.brand { font-weight: 600; font-size: 16px; color: var(--ink); }
.top nav { display: flex; gap: 4px; flex: 1; }
.top nav a { padding: 5px 10px; border-radius: 6px; color: var(--ink2); font-weight: 500; }
.top nav a[aria-current] { background: var(--soft); color: var(--ink); }
.health { display: flex; gap: 16px; color: var(--ink2); font-size: 13px; }
main .page { max-width: 1440px; width: 100%; margin: 0 auto; padding: 20px 24px 40px; display: flex;
  flex-direction: column; gap: 16px; outline: none !important; }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 12px; }
h1 { font-size: 20px; font-weight: 600; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 13px; font-weight: 600; line-height: 1.3; margin: 0 0 10px; color: var(--ink2); }
.note { color: var(--ink2); font-size: 13px; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px;
  min-width: 0; }
.split { display: grid; grid-template-columns: minmax(0, 1fr) 400px; gap: 16px; align-items: start; }
.split > div, .stack { display: flex; flex-direction: column; gap: 16px; min-width: 0; }
.halves { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; align-items: start; }
.thirds { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; align-items: start; }
@media (max-width: 1080px) { .split, .halves, .thirds { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 600px) { main .page { padding: 12px 12px 32px; gap: 12px; }
  .top > div { padding: 8px 12px; }
  .top nav { order: 3; flex: 1 0 100%; margin-left: -10px; } .health { margin-left: auto; gap: 12px;
  font-size: 12px; }
  .split, .halves, .thirds, .split > div, .stack { gap: 12px; } .card { padding: 12px; }
  .wide { display: none !important; } }
"""

_PARTS: Final = """
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 16px; }
.tile .value { font-size: 28px; font-weight: 600; line-height: 1.15; }
.tile .of { font-size: 16px; font-weight: 400; color: var(--ink2); }
.tile .figure { display: flex; align-items: baseline; gap: 6px; }
@media (max-width: 800px) { .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; } }
.gate { display: grid; grid-template-columns: 110px 140px 1fr; gap: 4px 12px; padding: 8px 0;
        border-top: 1px solid var(--line); align-items: baseline; }
.gate:first-child { border-top: none; }
.gate .name { font-weight: 500; }
.gate .reason { color: var(--ink2); font-size: 13px; }
@media (max-width: 700px) {
  .gate { grid-template-columns: 1fr auto; }
  .gate .reason { grid-column: 1 / -1; }
}
.chip { display: inline-flex; align-items: center; gap: 6px; font-size: 13px; font-weight: 500;
  white-space: nowrap;
  color: var(--tone); }
.chip::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--tone);
  flex: none; }
.chip.tone-idle::before { background: none; border: 1.5px solid var(--tone); }
.chip.tone-bad::before { border-radius: 1px; transform: rotate(45deg); }
.chip.tone-busy::before { animation: pulse 1.6s ease-in-out infinite; }
@keyframes pulse { 50% { opacity: .35; } }
@media (prefers-reduced-motion: reduce) { .chip.tone-busy::before { animation: none; } }
.tone-ok { --tone: var(--ok); } .tone-busy { --tone: var(--busy); } .tone-warn { --tone: var(--warn); }
.tone-bad { --tone: var(--bad); } .tone-idle { --tone: var(--idle); } .tone-accent { --tone: var(--accent); }
.callout { border-left: 3px solid var(--tone); }
.callout.row a { font-size: 13px; }
.callout.row { display: grid; grid-template-columns: auto minmax(0, 1fr) auto auto; gap: 2px 16px;
  align-items: baseline;
  padding: 10px 16px; }
.callout .more { grid-column: 2 / -1; display: flex; flex-direction: column; gap: 2px; }
.callout .stack-tight { display: flex; flex-direction: column; gap: 2px; margin: 4px 0; }
.names { display: flex; flex-wrap: wrap; gap: 4px 14px; font-size: 13px; overflow-wrap: anywhere; }
.tabs { display: flex; flex-wrap: wrap; gap: 4px; }
.tabs a { padding: 5px 12px; border-radius: 6px; color: var(--ink2); font-weight: 500; }
.tabs a[aria-current] { background: var(--card); border: 1px solid var(--line); color: var(--ink); }
@media (max-width: 600px) { .callout.row .more { grid-column: 1 / -1; } }
@media (max-width: 600px) { .callout.row { grid-template-columns: auto 1fr auto; }
  .callout.row .title { grid-column: 1 / -1; grid-row: 2; } .callout.row > .note { text-align: right; } }
.callout .title { font-weight: 600; overflow-wrap: anywhere; }
.bars, .feed { display: flex; flex-direction: column; gap: 8px; }
.bar { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; font-size: 13px; }
.bar .track { grid-column: 1 / -1; }
.track { height: 6px; border-radius: 3px; background: var(--soft); overflow: hidden; display: flex; }
.track > * { height: 100%; background: var(--tone); transition: width .3s; flex: none; }
.bar .name { overflow-wrap: anywhere; }
.item { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 12px; font-size: 13px;
  padding-bottom: 8px;
  border-bottom: 1px solid var(--soft); }
.item:last-child { border: 0; padding: 0; }
.item .text { overflow-wrap: anywhere; } .item .when { color: var(--ink2); white-space: nowrap; }
.item .subject { grid-column: 1; color: var(--ink2); overflow-wrap: anywhere; }
.empty { color: var(--ink2); padding: 16px 0; text-align: center; }
.facts { margin: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr));
  gap: 12px 20px; }
.facts dt { color: var(--ink2); font-size: 12px; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.stages { display: flex; gap: 12px; }
.stage { flex: 1 1 0; min-width: 0; display: flex; flex-direction: column; gap: 4px; }
.stage .track { height: 10px; border-radius: 5px; margin-bottom: 4px; }
.stage .line { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; }
.stage .name { font-weight: 600; }
@media (max-width: 600px) { .stages { flex-direction: column; gap: 16px; } }
.chart { width: 100%; }
"""

_TABLE: Final = """
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 13px; }
th, td { padding: 4px 10px; height: 34px; text-align: left; white-space: nowrap; }
th { font-size: 12px; font-weight: 500; color: var(--ink2); }
td { border-top: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
th.right, td.right { text-align: right; } td.cell-wrap { white-space: normal; min-width: 140px; }
td .note { font-size: 12px; white-space: normal; min-width: 120px; }
tbody tr:hover { background: var(--soft); }
th button { all: unset; cursor: pointer; } th button:hover { color: var(--ink); }
th[aria-sort] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
@media (max-width: 600px) { th, td { padding: 4px 5px; } th { white-space: normal; }
  td .note, td.cell-wrap { min-width: 0; } }
.pager { display: flex; align-items: center; justify-content: flex-end; gap: 4px; margin-top: 6px;
  min-height: 32px; }
.pager .q-btn { color: var(--ink); } .pager .note { margin-right: 8px; font-size: 12px; }
.toolbar { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px;
  margin-bottom: 6px; }
.toolbar h2 { margin: 0; }
.toolbar .q-field { width: 260px; max-width: 100%; }
.toolbar .q-field__control { height: 34px; background: var(--soft); border-radius: 6px; padding: 0 10px;
  color: var(--accent); }
.toolbar .q-field__control:before { border: 1px solid var(--line) !important; border-radius: 6px; }
.toolbar .q-field__control:after { display: none; }
.toolbar .q-field__native { color: var(--ink); font-size: 13px; padding: 0; }
.toolbar .q-field__native::placeholder { color: var(--ink2); opacity: 1; }
.toolbar .q-field__marginal { height: 34px; color: var(--ink2); font-size: 18px; }
.mini { width: 96px; display: inline-flex; vertical-align: middle; margin-right: 8px; }
"""

CSS: Final = f"{_COLOURS}{_FRAME}{_PARTS}{_TABLE}"
