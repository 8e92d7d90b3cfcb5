// Texts of attackers, and checks that show whether one worked in a page.

/** Texts that become more than texts in a page that trusts them. */
export const TEXTS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "'><img src=//evil.example/x.png>",
  '<iframe src=//evil.example></iframe>',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  '[x](javascript:alert(1))',
  '[x](data:text/html,<script>alert(1)</script>)',
  '![x](https://evil.example/x.png)',
  '[<img src=x onerror=alert(1)>](https://a.example)',
  '**<img src=x onerror=alert(1)>**',
  '`<img src=x onerror=alert(1)>`',
  '```\n<img src=x onerror=alert(1)>\n```',
  'javascript:alert(1)',
  'https://a.example/"onmouseover="alert(1)',
  'https://a.example/<img src=x onerror=alert(1)>',
  '<style>*{display:none}</style>',
  '<link rel=stylesheet href=//evil.example/x.css>',
  '<meta http-equiv=refresh content="0;url=//evil.example">',
  '<base href=//evil.example>',
  '<form action=//evil.example><button>x</button></form>',
  '<object data=//evil.example></object>',
  '<details open ontoggle=alert(1)>',
  '<input autofocus onfocus=alert(1)>',
  '<video><source onerror=alert(1)></video>',
  '<math><mtext></form><form><mglyph><svg><mtext><textarea><a title="</textarea><img src onerror=alert(1)>">',
  '<div id=log role=log>mine</div>',
  '&lt;img src=x onerror=alert(1)&gt;',
  "{{constructor.constructor('alert(1)')()}}",
  '\u202E<script>alert(1)</script>',
  '</textarea><img src=x onerror=alert(1)>',
];

/** What in a page cannot have come from the page's own code, as texts. */
export const strangeIn = (page) => page.evaluate(() => {
  const own = ['ARTICLE', 'DIV', 'SPAN', 'P', 'BDI', 'TIME', 'A', 'BUTTON', 'UL', 'OL', 'LI', 'PRE',
    'CODE', 'STRONG', 'EM', 'BR', 'DETAILS', 'SUMMARY', 'IMG'];
  const isStrange = (it) => !own.includes(it.tagName)
    || [...it.attributes].some(({ name }) => name.startsWith('on') || name === 'style' || name === 'srcdoc')
    || (it.href && !/^https?:\/\//.test(it.href))
    || it.tagName === 'IMG'
    || (it.id && !/^host-\d+$/.test(it.id));
  const log = document.querySelector('[role=log]');
  return [...log.querySelectorAll('*')].filter(isStrange).map((it) => it.outerHTML);
});

/** The elements outside the transcript, without those that announce messages. */
export const frameOf = (page) => page.evaluate(() => {
  const page = document.documentElement.cloneNode(true);
  page.querySelector('[role=log]').replaceChildren();
  page.querySelector('#announcer').replaceChildren();
  return [...page.querySelectorAll('*')].map(({ tagName, id }) => `${tagName} ${id}`);
});
