// The console in a real browser: every page, in both languages, light and dark, narrow and wide, with the common design system and
// without it. axe-core finds nothing, nothing is asked of another host, the policy is never violated, and the keyboard reaches
// whatever can be used and shows where it is; by it alone a system goes its whole way (way.mjs).
// `node tests/console/browser.mjs HJEMMEL [--pictures DIR]`: the program, and where pictures go.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { fill, follow, press, tick, unseen, write } from './keys.mjs';
import { walk } from './way.mjs';

const require = createRequire(import.meta.url);
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [program, ...options] = process.argv.slice(2);
const pictures = options[0] === '--pictures' ? options[1] : undefined;
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const browserPath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const assets = join(root, 'node_modules/dkfds/dist');

/** Which pages each role looks at, beside the front page. What ends in * is the first link below it on the page before. */
const PAGES = {
  operator: ['/', '/agreements', '/agreements/*', '/requests', '/systems', '/systems/*', '/connections', '/connections/*', '/routes', '/routes?service=3053ec89-31fe-4206-878b-bba6783d7a88&sender=99999999&receiver=99999998', '/calls', '/calls/*', '/calls?call=nonsense', '/errors', '/files', '/services', '/value-lists', '/value-lists/new', '/value-lists/subscriptions', '/routes/new', '/connections/new', '/persons', '/law', '/law/*', '/nowhere'],
  'supplier-administrator': ['/', '/agreements', '/requests', '/requests/new', '/systems', '/systems/*', '/value-lists', '/calls'],
  signatory: ['/', '/agreements', '/agreements/5a9e0000-0000-4000-8000-0000000000c0', '/calls', '/delegations'],
  auditor: ['/', '/auditor', '/calls', '/agreements'],
};
/** The pictures of docs/console: of every page in the menu, and of some below one. That of a decision is drawn as one is made. */
const PICTURES = {
  operator: {
    '/': 'today', '/systems': 'systems', '/routes': 'routes', '/connections': 'connections', '/connections/*': 'connection', '/calls': 'calls', '/calls/*': 'call',
    '/errors': 'errors', '/files': 'files', '/persons': 'persons', '/services': 'services', '/value-lists': 'value-lists', '/law': 'law', '/law/*': 'rules',
  },
  'supplier-administrator': { '/requests': 'requests', '/requests/new': 'request' },
  signatory: { '/agreements': 'agreements', '/delegations': 'delegations' },
  auditor: { '/auditor': 'auditor' },
};
const DEMO_AGREEMENT = '/agreements/5a9e0000-0000-4000-8000-0000000000c0';

/** Starts the demo; gives where everything is, and how to end it. */
async function demo(withAssets) {
  const dir = join(mkdtempSync(join(tmpdir(), 'hjemmel-console-')), 'demo');
  const args = ['demo', '--dir', dir, ...(withAssets ? ['--assets', assets] : [])];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, HJEMMEL_LOG: 'error' } });
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  const file = join(dir, 'demo.json');
  const ended = new Promise((_, reject) => child.once('exit', (code) => reject(new Error(`the demo ended with ${code}: ${said}`))));
  ended.catch(() => {});
  const up = (async () => {
    for (;;) {
      if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  const world = await Promise.race([up, ended]);
  // The identity provider says in its metadata where it is.
  world.idp = new URL(readFileSync(join(dir, 'idp.xml'), 'utf8').match(/https:\/\/localhost:\d+/)[0]).origin;
  return { ...world.console, world, stop: () => child.kill('SIGTERM') };
}

/** What is wrong, by page: all of it is told at the end. */
const wrong = [];
let looked = 0;

/** A browser for one person, who notes whatever a page does that it must not. */
async function visitor(browser, url, settings, idp) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: true, ...settings });
  const page = await context.newPage();
  page.on('request', (request) => {
    if (![url, idp].some((known) => known && request.url().startsWith(`${known}/`))) wrong.push(`${page.url()}: asks ${request.url()}`);
  });
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrong.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`${page.url()}: ${error}`));
  page.on('response', (response) => {
    if (!response.url().startsWith(`${url}/`)) return;
    const policy = response.headers()['content-security-policy'] ?? '';
    if (!policy || policy.includes('unsafe')) wrong.push(`${response.url()}: its policy is "${policy}"`);
  });
  return { context, page };
}

/** What axe finds on the page, what hangs out of it, and with `keys` what the keyboard does not reach or does not show. */
async function examine(page, where, keys) {
  looked += 1;
  // In a world of its own, which the page's policy does not govern.
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'axe' });
  const run = async (expression) => {
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await run(`${axe};0`);
  const found = await run(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then((results) => results.violations.map((v) => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')))`);
  found.forEach((one) => wrong.push(`${where}: ${one}`));
  const sideways = await run('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  if (sideways > 0) wrong.push(`${where}: hangs out by ${sideways} pixels`);
  if (keys) {
    // The first stop is the way past the menu, which is seen only while it has the focus.
    await page.keyboard.press('Tab');
    const faint = await run(`document.activeElement.getAnimations().forEach((moving) => moving.finish()), document.activeElement.matches('.skipnav')
      ? axe.run(document.activeElement, { runOnly: ['color-contrast'] }).then((results) => results.violations.map((v) => v.nodes[0].any[0].message))
      : ['the first stop of the keyboard is not the way past the menu']`);
    [...faint, ...(await run(`(${unseen})()`))].forEach((one) => wrong.push(`${where}: ${one}`));
  }
  await session.detach();
}

async function logOn(page, link) {
  await page.goto(link);
  await examine(page, 'a link that logs on');
  await page.getByRole('button', { name: /Log på|Log on/ }).click();
  await page.waitForURL((url) => url.pathname === '/');
}

async function goTo(page, url, path) {
  if (!path.endsWith('/*')) return page.goto(url + path);
  const list = path.slice(0, -2);
  if (new URL(page.url()).pathname !== list) await page.goto(url + list);
  const href = await page.locator(`main a[href^="${list}/"]`).first().getAttribute('href');
  return page.goto(url + href);
}

async function picture(page, name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: false });
}

/** The signatory approves by keyboard alone; a second tab that still shows the old text decides nothing. */
async function approves(world, page) {
  const button = (on, name) => on.getByRole('button', { name, exact: true });
  await page.goto(world.url + DEMO_AGREEMENT);
  const second = await page.context().newPage();
  await second.goto(world.url + DEMO_AGREEMENT);
  await picture(page, 'agreement');
  await tick(page, page.locator('#read'));
  await fill(page, { 'reason-approve': 'Sag 2026-17' });
  await follow(page, button(page, 'Godkend aftalen'));
  await page.getByText('Beslutningen er gemt. Aftalen er nu GODKENDT.').waitFor();
  await examine(page, 'a decision is kept');
  await tick(second, second.locator('#read'));
  await fill(second, { 'reason-approve': 'Sag 2026-18' });
  await follow(second, button(second, 'Godkend aftalen'));
  await second.getByText('Aftalen er ændret, siden du så den').waitFor();
  await examine(second, 'what is decided on has changed');
  assert.equal(await second.getByText('Sag 2026-18').count(), 0, 'it was not decided twice');
  // Back, and the same form once more: what is shown is what is now.
  await page.goBack();
  await page.reload();
  assert.equal(await page.locator('#read').count(), 0, 'there is nothing left to approve');
  // The session ends while a form is being written: nothing is lost, nothing is done.
  await second.goto(world.url + DEMO_AGREEMENT);
  await press(second, second.locator('summary', { hasText: 'Suspendér' }));
  await write(second, second.locator('#reason-suspend'), 'Skal ikke gå tabt');
  await page.goto(world.url + '/');
  await follow(page, button(page, 'Log af'));
  await page.getByText('Du er logget af.').waitFor();
  await examine(page, 'logged off');
  await follow(second, button(second, 'Suspendér aftalen'));
  await second.getByText('Der er ingen session').waitFor();
  await examine(second, 'a session that ended in a form');
  assert.equal(await second.locator('textarea').first().inputValue(), 'Skal ikke gå tabt');
  await second.close();
}

async function asks(world, page) {
  await page.goto(world.url + '/auditor');
  await page.locator('#cpr').fill('610101-0000');
  await page.locator('#reason').fill('Sag 2026-19');
  await page.getByRole('button', { name: /Spørg/ }).click();
  await page.getByText('Spørgsmålet er skrevet i revisionsloggen').waitFor();
  await examine(page, 'the auditor is answered');
  assert.equal((await page.content()).includes('610101'), false, 'the number is not shown again');
}

async function look(world, looks, full) {
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  for (const [role, paths] of Object.entries(PAGES)) {
    const { context, page } = await visitor(browser, world.url, { locale: 'da-DK', viewport: { width: 1280, height: 900 } });
    await logOn(page, world.links[role]);
    if (role === 'operator') {
      const stranger = await visitor(browser, world.url, { locale: 'da-DK' });
      await stranger.page.goto(world.url + '/');
      await examine(stranger.page, 'log-on');
      if (full) await picture(stranger.page, 'log-on');
      await stranger.page.goto(world.url + '/link/nonsense');
      await examine(stranger.page, 'a link that is none');
      await stranger.context.close();
    }
    const menu = [];
    for (const link of await page.locator('nav a.nav-link').all()) menu.push(await link.getAttribute('href'));
    const whole = [...paths, ...menu.filter((href) => !paths.includes(href))];
    for (const [at, { width, scheme, language, keys }] of looks.entries()) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: scheme });
      await page.goto(`${world.url}/?lang=${language}`);
      // What the role finds in its menu besides, in each language once.
      for (const path of at < 2 ? whole : paths) {
        await goTo(page, world.url, path);
        assert.equal(await page.locator('html').getAttribute('lang'), language);
        await examine(page, `${role} ${path} ${width} ${scheme} ${language}${full ? ' dkfds' : ''}`, keys);
      }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`${world.url}/?lang=da`);
    if (full) {
      const drawn = Object.values(PICTURES).flatMap(Object.keys);
      menu.filter((href) => !drawn.includes(href)).forEach((href) => wrong.push(`${role} ${href}: the page is in the menu, and docs/console has no picture of it`));
      for (const [path, name] of Object.entries(PICTURES[role])) {
        if (path.endsWith('*')) await goTo(page, world.url, path.slice(0, -2));
        await goTo(page, world.url, path);
        await picture(page, name);
      }
      if (role === 'operator') {
        await page.emulateMedia({ colorScheme: 'dark' });
        await page.setViewportSize({ width: 320, height: 700 });
        await page.goto(world.url + '/');
        await picture(page, 'today-narrow-dark');
      }
      if (role === 'auditor') await asks(world, page);
      if (role === 'signatory') await approves(world, page);
    }
    await context.close();
  }
  await browser.close();
}

const NARROW = { width: 320, scheme: 'light', language: 'da', keys: true };
const WIDE = { width: 1920, scheme: 'dark', language: 'en' };
const MIXED = { width: 320, scheme: 'dark', language: 'en', keys: true };
const DAY = { width: 1920, scheme: 'light', language: 'da' };

// Two at once: a start takes as long as a look, and a look as long as the way.
let way;
const worlds = await Promise.all([demo(true), demo(false)]);
async function walked(world) {
  const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  way = await walk(browser, world, visitor);
  await browser.close();
  // Now with all that came of the way.
  await look(world, [NARROW, WIDE], false);
}
try {
  await Promise.all([walked(worlds[1]), look(worlds[0], [NARROW, WIDE, MIXED, DAY], true)]);
} finally {
  worlds.forEach((world) => world.stop());
}
if (wrong.length > 0) {
  console.error([...new Set(wrong)].join('\n'));
  console.error(`${new Set(wrong).size} things are wrong on ${looked} pages.`);
  process.exit(1);
}
console.log(`The console in Chromium: ${looked} pages looked at, nothing is wrong. A system was connected in ${way.steps} steps; its first call was answered ${way.waited} ms after the approval.`);
