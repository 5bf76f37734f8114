#include "report/page.h"

#include <fmt/core.h>

#include "report/markup.h"
#include "report/palette.h"
#include "report/svg.h"

namespace pointsman::report {

namespace {

constexpr std::string_view kStyle = R"(*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main,header,footer{max-width:1056px;margin:0 auto;padding:0 24px}
header{display:flex;align-items:center;gap:12px;padding-top:20px;padding-bottom:20px}
header svg{width:34px;height:24px;flex:none}
header b{font-weight:700;letter-spacing:-.01em}
header span{color:var(--muted)}
button{margin-left:auto;font:inherit;font-size:.875rem;color:var(--ink);background:var(--raised);border:1px solid var(--line);border-radius:6px;padding:4px 12px;cursor:pointer}
button:hover{border-color:var(--muted)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h1{font-size:clamp(1.4rem,1.05rem + 1.5vw,1.95rem);line-height:1.28;font-weight:680;letter-spacing:-.018em;margin:20px 0 16px;max-width:31em;text-wrap:balance}
h2{font-size:1.3rem;line-height:1.3;font-weight:680;letter-spacing:-.01em;margin:0 0 12px}
h3{font-size:1.02rem;font-weight:650;margin:28px 0 8px}
p{margin:0 0 12px;max-width:44em}
.lede{font-size:1.06rem;max-width:48em}
.note,.muted{color:var(--muted)}
.note{font-size:.875rem}
a{color:inherit;text-decoration-color:var(--muted);text-underline-offset:3px}
nav{display:flex;flex-wrap:wrap;gap:4px 20px;margin:28px 0 0;padding:10px 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line);font-size:.9rem}
nav a{text-decoration:none;color:var(--muted)}
nav a:hover{color:var(--ink)}
section{padding-top:44px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.875em}
pre{background:var(--band);border:1px solid var(--line);border-radius:8px;padding:14px 16px;overflow-x:auto;margin:0 0 12px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px;margin:28px 0 0}
.tile{display:flex;flex-direction:column;background:var(--raised);border:1px solid var(--line);border-radius:10px;padding:16px 18px 12px}
.tile .value{font-size:1.9rem;line-height:1.15;font-weight:680;letter-spacing:-.02em;font-variant-numeric:tabular-nums;margin:0 0 6px}
.tile .name{font-size:.875rem;line-height:1.4;margin:0 0 4px}
.tile .range{font-size:.8125rem;color:var(--muted);margin:0 0 10px;font-variant-numeric:tabular-nums}
.tile .chart{margin-top:auto}
.scroll{overflow-x:auto;margin:0 0 12px;scrollbar-width:thin}
table{border-collapse:collapse;width:100%;font-size:.9rem;line-height:1.35;font-variant-numeric:tabular-nums}
th,td{padding:7px 9px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{font-weight:600;color:var(--muted);font-size:.825rem;vertical-align:bottom;border-bottom-color:var(--muted)}
tbody th{font-weight:600;white-space:nowrap}
th:first-child{padding-left:0}
td:last-child,th:last-child{padding-right:4px}
th.num,td.num{text-align:right;white-space:nowrap}
th.num{white-space:normal}
tr.ruled th,tr.ruled td{border-top:2px solid var(--muted)}
.ci{display:block;font-size:.775rem;font-weight:400;color:var(--muted)}
.marked{font-weight:700}
tr.own th,tr.own td{background:var(--band)}
tr.own th{color:var(--accent)}
.sights{table-layout:fixed;min-width:760px}
.sights th:nth-child(1),.sights td:nth-child(1){width:25%;white-space:normal}.sights th:nth-child(2){width:27%}.sights th:nth-child(3),.sights th:nth-child(5){width:10%}
figure{margin:0 0 16px}
figcaption{font-size:.875rem;color:var(--muted);margin-top:6px;max-width:50em}
details{margin:0 0 10px}
summary{cursor:pointer;font-size:.9rem;color:var(--muted);padding:4px 0}
summary:hover{color:var(--ink)}
.narrow{display:none}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:22px 30px;margin:8px 0 16px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 24px;margin:0 0 12px;font-size:.9375rem}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
ul{margin:0 0 12px;padding-left:1.2em;max-width:44em}
li{margin:0 0 6px}
.chip{display:inline-block;border-radius:4px;padding:0 7px;font-size:.8125rem;font-weight:600;line-height:1.6;white-space:nowrap}
.heatmap{font-size:.85rem}
.heatmap td.heat{text-align:right;white-space:nowrap;border:1px solid var(--paper)}
.heatmap td,.heatmap th.num{padding:6px 7px}
.heatmap .heat .ci{color:inherit;opacity:.78}
.heatmap tbody th{white-space:normal;min-width:9.5em;max-width:11em}
.heatmap tbody th span{display:block;font-weight:400;font-size:.775rem;color:var(--muted)}
.better{background:color-mix(in srgb,var(--better) calc(var(--h)*50%),transparent)}
.worse{background:color-mix(in srgb,var(--worse) calc(var(--h)*50%),transparent)}
.heat.marked{box-shadow:inset 0 0 0 2px var(--ink);border-radius:3px}
.key{display:inline-block;width:1.1em;height:1.1em;border-radius:3px;vertical-align:-.15em;margin:0 .3em 0 .9em}
@media (min-width:960px){.tile .name{min-height:4.2em}}
#tip{position:fixed;z-index:9;max-width:340px;background:var(--ink);color:var(--paper);font-size:.8125rem;line-height:1.4;padding:6px 10px;border-radius:6px;pointer-events:none;white-space:pre-line}
footer{padding-top:40px;padding-bottom:48px;color:var(--muted);font-size:.875rem}
@media (max-width:640px){main,header,footer{padding-left:16px;padding-right:16px}.wide{display:none}.narrow{display:block}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}section{padding-top:34px}
tbody th{position:sticky;left:0;background:var(--paper);z-index:1}tr.own th{background:var(--band)}}
@media print{:root{--paper:#fff}body{font-size:10.5pt}.tiles{grid-template-columns:repeat(4,1fr)}button,nav,#tip{display:none!important}main,header,footer{max-width:none;padding:0}section{padding-top:18pt}figure,.tile,.grid>*,tr{break-inside:avoid}h2,h3{break-after:avoid}.narrow{display:none}.wide{display:block}.scroll{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)";

// Only comfort: the toggle, and tips that show at once and also on touch. Everything they say is in the page without it.
constexpr std::string_view kScript = R"((function(){
var root=document.documentElement,button=document.getElementById('theme'),dark=matchMedia('(prefers-color-scheme: dark)');
function shown(){return root.dataset.theme||(dark.matches?'dark':'light')}
function label(){button.textContent=shown()==='dark'?'Light':'Dark'}
button.hidden=false;label();
button.addEventListener('click',function(){root.dataset.theme=shown()==='dark'?'light':'dark';label()});
dark.addEventListener('change',label);
var tip=document.createElement('div');tip.id='tip';tip.hidden=true;document.body.appendChild(tip);
document.querySelectorAll('.chart title').forEach(function(t){var p=t.parentNode;p.tip=t.textContent;p.setAttribute('aria-label',t.textContent);t.remove()});
document.addEventListener('pointermove',show);document.addEventListener('pointerdown',show);
document.addEventListener('scroll',function(){tip.hidden=true},true);
function show(e){var n=e.target;while(n&&n!==document&&!n.tip)n=n.parentNode;
if(!n||!n.tip){tip.hidden=true;return}
tip.textContent=n.tip;tip.hidden=false;var w=tip.offsetWidth,h=tip.offsetHeight;
tip.style.left=Math.max(8,Math.min(e.clientX+14,innerWidth-w-8))+'px';
tip.style.top=(e.clientY+18+h>innerHeight?e.clientY-h-12:e.clientY+18)+'px'}
})();)";

// A railway switch: one track, two ways.
constexpr std::string_view kEmblem =
    R"svg(<svg viewBox="0 0 34 24" aria-hidden="true" fill="none" stroke-linecap="round" stroke-width="3"><path d="M2 18H32" stroke="var(--muted)"/><path d="M2 18H10C19 18 17 6 26 6H32" stroke="var(--accent)"/></svg>)svg";

}  // namespace

std::string to_html(const Page& page) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n";
  // The browser itself is told to load nothing.
  out +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src "
      "'unsafe-inline'\">\n";
  out += "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"pointsman\">\n";
  out +=
      fmt::format("<title>{}</title>\n<style>\n{}{}{}</style>\n</head>\n<body>\n", escape(page.title), palette_css(), kStyle, chart_css());
  out +=
      fmt::format("<header>{}<b>pointsman</b><span>{}</span><button id=\"theme\" type=\"button\" hidden>Dark</button></header>\n<main>\n",
                  kEmblem, escape(page.kicker));
  out += page.lead;
  if (page.sections.size() > 1) {
    out += "<nav aria-label=\"Contents\">";
    for (const Section& s : page.sections) out += fmt::format("<a href=\"#{}\">{}</a>", identifier(s.id), escape(s.heading));
    out += "</nav>\n";
  }
  for (const Section& s : page.sections)
    out += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", identifier(s.id), escape(s.heading), s.body);
  out += fmt::format("</main>\n<footer></footer>\n<script>{}</script>\n</body>\n</html>\n", kScript);
  return out;
}

std::string paragraph(std::string_view text, std::string_view css) {
  if (text.empty()) return "";
  return css.empty() ? fmt::format("<p>{}</p>\n", prose(text)) : fmt::format("<p class=\"{}\">{}</p>\n", css, prose(text));
}

std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out;
  for (const auto& [term, value] : entries)
    if (!value.empty()) out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape(term), prose(value));
  return out.empty() ? "" : "<dl>\n" + out + "</dl>\n";
}

}  // namespace pointsman::report
