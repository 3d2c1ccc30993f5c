// The whole way of a system, through the console in Chromium, by the keyboard alone and without a script on any page, logged on by
// SAML at the stub identity provider: a supplier registers a system and asks three authorities; one signatory approves, one rejects
// with a reason, one never answers and is reminded; the first call goes through the running gateway once it is approved; the
// connection goes step by step to done. Buttons are pressed twice and after the back button, two people use one browser, two tabs
// write on one draft, and a session ends while a form is being written: nothing is lost, and nothing is done twice.

import { X509Certificate, createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import assert from 'node:assert/strict';
import { choose, fill, follow, pick, press, tick, twice, write } from './keys.mjs';

const SERVICE = '3053ec89-31fe-4206-878b-bba6783d7a88';
const [KORSBAEK, ANDEBY, LUNDEBY] = ['11111111', '99999981', '99999982'];
const SUPPLIER = '99999998';

const button = (page, name) => page.getByRole('button', { name, exact: true });

/** Logs somebody on at the identity provider, as they do: the console's page, the provider's, and back. */
async function logOn(page, url, person) {
  await page.goto(`${url}/log-on`);
  await follow(page, page.getByRole('link', { name: 'Log på med demo' }));
  await choose(page, 'person', person);
  await follow(page, button(page, 'Log på'));
  await follow(page, button(page, 'Fortsæt til konsollen'));
  await page.waitForURL((at) => at.origin === url && at.pathname === '/');
}

/** Leaves the console, and the provider too. */
async function logOff(page) {
  await follow(page, button(page, 'Log af'));
  await page.getByText('Du er logget af.').waitFor();
  await follow(page, page.getByRole('link', { name: 'Log også af dér' }));
  await page.waitForURL((at) => at.pathname === '/log-on' && at.search === '?left=1');
}

/** Goes where the menu leads. */
async function menu(page, place) {
  await follow(page, page.locator(`nav a[href="${place}"]`));
}

/** Opens what a page folds away. */
async function unfold(page, name) {
  await press(page, page.locator('summary', { hasText: name }).first());
}

/** A call of the new system's through the gateway: the status, and what was answered. */
function call(world) {
  const own = world.users['supplier-administrator'];
  const [ca, cert, key] = [world.root, own.certificate, own.key].map((file) => readFileSync(file));
  const body = readFileSync(world.curl.find((word) => word.startsWith('@')).slice(1));
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'text/xml; charset=utf-8', 'content-length': body.length };
    const sent = request(world.service, { method: 'POST', ca, cert, key, headers, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** How many tasks of the connection are done, as its page says. */
async function done(page, path) {
  await page.goto(path);
  const text = await page.getByText(/\d+ af \d+ opgaver er udført\./).textContent();
  const [, many, of] = text.match(/(\d+) af (\d+) opgaver/);
  return [Number(many), Number(of)];
}

export async function walk(browser, { url, world }, visitor) {
  const there = { locale: 'da-DK', viewport: { width: 1280, height: 900 }, javaScriptEnabled: false };
  const open = async (person) => {
    const someone = await visitor(browser, url, there, world.idp);
    await logOn(someone.page, url, person);
    return someone;
  };
  const supplier = await open('leverandoer-1');
  const page = supplier.page;

  // A system, registered once although the button is pressed twice.
  await menu(page, '/systems');
  await fill(page, { name: 'Nyt fagsystem', contact: 'drift@leverandor.example', reason: 'Sag 2026-31' });
  await twice(page, button(page, 'Registrér'));
  const registered = page.getByRole('link', { name: 'Nyt fagsystem', exact: true });
  await page.goto(`${url}/systems`);
  assert.equal(await registered.count(), 1, 'a system is registered once');
  await follow(page, registered);
  const system = new URL(page.url()).pathname.split('/').pop();
  const pem = readFileSync(world.users['supplier-administrator'].certificate, 'utf8').split('-----END CERTIFICATE-----')[0] + '-----END CERTIFICATE-----\n';
  const fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
  const key = readFileSync(world.users['supplier-administrator'].key);
  const proof = createSign('sha256').update(`hjemmel certificate v1\nsystem ${system}\ncertificate ${fingerprint}\n`).sign(key, 'base64');
  await unfold(page, 'Tilføj et certifikat');
  await fill(page, { certificate: pem, proof, 'reason-add': 'Sag 2026-31' });
  await twice(page, button(page, 'Tilføj'));
  await page.goto(`${url}/systems/${system}`);
  const certificates = page.locator('table[aria-labelledby=certificates] th code');
  assert.equal(await certificates.count(), 1, 'a certificate is added once');
  assert.equal(await certificates.textContent(), fingerprint);

  // The connection, whose tasks the rest of the way does one by one.
  await menu(page, '/connections');
  await follow(page, page.getByRole('link', { name: 'Opret en forbindelse' }));
  await pick(page, page.locator('#graph'), 'terminaladgang');
  await pick(page, page.locator('#service'), SERVICE);
  await fill(page, { authority: KORSBAEK, client: system, client_supplier: SUPPLIER });
  await tick(page, page.locator('#terminaladgang-verification'));
  await fill(page, { reason: 'Sag 2026-31' });
  await twice(page, button(page, 'Opret forbindelsen'));
  await page.goto(`${url}/connections`);
  const connections = page.locator('main a[href^="/connections/"]').filter({ hasText: 'TerminalAdgang' });
  assert.equal(await connections.count(), 1, 'a connection is added once');
  await follow(page, connections);
  await page.getByText('opgaver er udført.').waitFor();
  const connection = url + new URL(page.url()).pathname;
  const steps = [await done(page, connection)];
  const step = async (what) => {
    const now = await done(page, connection);
    const before = steps.at(-1);
    assert.ok(now[0] > before[0], `${what} is a step: ${before} and then ${now}`);
    steps.push(now);
  };

  // One request, three authorities. The session ends while it is written: what was written is there, and is sent once all the same.
  await menu(page, '/requests');
  await follow(page, page.getByRole('link', { name: 'Ny anmodning' }));
  await fill(page, { name: 'Nyt fagsystem i tre kommuner', justification: 'Sagsbehandlere slår ydelser op', system, certificates: fingerprint, authorities: [KORSBAEK, ANDEBY, LUNDEBY].join('\n') });
  await tick(page, page.locator(`input[name=service][value="${SERVICE}:front"]`));
  await fill(page, {
    contract: 'DBA-2026-31', purpose: 'Sagsbehandling efter lov om aktiv socialpolitik', legal_basis: 'Lov om Udbetaling Danmark § 8, stk. 1',
    categories: 'ydelser', retention: 'slettes efter 5 år',
  });
  const other = await supplier.context.newPage();
  await other.goto(`${url}/`);
  await logOff(other);
  await follow(page, button(page, 'Gem kladden'));
  await page.getByText('Der er ingen session').waitFor();
  await logOn(other, url, 'leverandoer-1');
  await follow(page, button(page, 'Send igen'));
  // The page is still the ended session's: it is said once more, now with the session that goes on.
  await page.getByText('Formularen hører til en anden session').waitFor();
  await twice(page, button(page, 'Send igen'));
  await page.goto(`${url}/requests`);
  const drafts = page.getByRole('link', { name: 'Nyt fagsystem i tre kommuner' });
  assert.equal(await drafts.count(), 1, 'a draft is kept once');
  await follow(page, drafts);
  const asked = page.url().split('?')[0];
  assert.equal(await page.locator('#authorities').inputValue(), [KORSBAEK, ANDEBY, LUNDEBY].join('\n'), 'every line that was written is there');
  assert.equal(await page.locator('#purpose').inputValue(), 'Sagsbehandling efter lov om aktiv socialpolitik');
  assert.ok(await page.locator(`input[name=service][value="${SERVICE}:front"]`).isChecked());

  // Two tabs write on one draft: the later one is told, and loses nothing.
  await other.goto(asked);
  await write(other, other.locator('#retention'), 'slettes efter 3 år');
  await follow(other, button(other, 'Gem kladden'));
  await other.getByText('Kladden er gemt.').waitFor();
  await write(page, page.locator('#justification'), 'Sagsbehandlere slår ydelser op i sagen');
  await follow(page, button(page, 'Gem kladden'));
  await page.getByText('Anmodningen er ændret, siden du så den').waitFor();
  assert.equal(await page.locator('#justification').inputValue(), 'Sagsbehandlere slår ydelser op i sagen', 'what was written still stands');
  await page.locator('main pre', { hasText: 'slettes efter 3 år' }).waitFor();
  await write(page, page.locator('#retention'), 'slettes efter 3 år');
  await follow(page, button(page, 'Gem kladden'));
  await page.getByText('Kladden er gemt.').waitFor();

  // It is sent once, although the button is pressed twice, and again in the other tab and after the back button.
  await other.goto(asked);
  await fill(other, { 'reason-submit': 'Sag 2026-31' });
  await fill(page, { 'reason-submit': 'Sag 2026-31' });
  await twice(page, button(page, 'Anmod'));
  await follow(other, button(other, 'Anmod'));
  await page.goBack();
  assert.equal(await button(page, 'Anmod').count(), 0, 'after the back button there is nothing left to send');
  await page.goto(asked);
  const lines = [];
  for (const link of await page.locator('main table th a[href^="/agreements/"]').all()) lines.push([await link.textContent(), await link.getAttribute('href')]);
  assert.equal(lines.length, 3, `a line for each authority: ${lines}`);
  const [first, second, third] = ['Korsbæk', 'Andeby', 'Lundeby'].map((name) => lines.find(([text]) => text.includes(name))[1]);
  await step('a request');

  // Before anybody approves, the gateway refuses the system.
  const before = await call(world);
  assert.ok(before.status >= 400 || /Fault/.test(before.text), `a call without an agreement is refused: ${before.status}`);

  // One signatory approves: the call goes through at once.
  const korsbaek = await open('korsbaek-1');
  await menu(korsbaek.page, '/agreements');
  await follow(korsbaek.page, korsbaek.page.locator(`main a[href="${first}"]`).first());
  await tick(korsbaek.page, korsbaek.page.locator('#read'));
  await fill(korsbaek.page, { 'reason-approve': 'Sag 2026-32' });
  await twice(korsbaek.page, button(korsbaek.page, 'Godkend aftalen'));
  await korsbaek.page.getByText('GODKENDT').first().waitFor();
  const approved = Date.now();
  let answer;
  do {
    answer = await call(world);
    if (Date.now() - approved > 60_000) assert.fail(`no call is answered after the approval: ${answer.status} ${answer.text.slice(0, 600)}`);
  } while (answer.status !== 200 || /Fault>/.test(answer.text));
  const waited = Date.now() - approved;
  assert.ok(waited < 5_000, `the first call was answered ${waited} ms after the approval`);
  await korsbaek.page.goto(url + first);
  assert.equal(await korsbaek.page.locator('table[aria-labelledby=history] td', { hasText: 'GODKENDT' }).count(), 1, 'it was approved once');
  await step('an approval');

  // One rejects with a reason, which the supplier reads; one never answers, and is reminded.
  const andeby = await open('andeby-1');
  await andeby.page.goto(url + second);
  await unfold(andeby.page, 'Afvis');
  await fill(andeby.page, { 'reason-reject': 'Databehandleraftalen mangler bilag B' });
  await follow(andeby.page, button(andeby.page, 'Afvis aftalen'));
  await andeby.page.getByText('Aftalen er nu AFVIST').waitFor();
  assert.equal((await andeby.page.goto(url + first)).status(), 404, 'another authority\'s agreement is not there');
  await andeby.context.close();
  await page.goto(asked);
  await page.getByText('AFVIST').first().waitFor();
  await follow(page, page.locator(`main a[href="${second}"]`).first());
  await page.getByText('Databehandleraftalen mangler bilag B').waitFor();
  await page.goto(url + third);
  await follow(page, button(page, 'Gensend advis om anmodning'));
  await page.goto(url + third);
  await follow(page, button(page, 'Gensend advis om anmodning'));
  await page.getByText('Det kunne ikke lade sig gøre').waitFor();
  await page.goto(asked);
  for (const state of ['GODKENDT', 'AFVIST', 'ANMODET']) await page.locator('main table').getByText(state).first().waitFor();

  // The system responsible is a user once he has logged on, and states what nobody sees.
  const owner = await open('korsbaek-2');
  const states = async (someone, task, reference, reason) => {
    await someone.goto(connection);
    await unfold(someone, task);
    await write(someone, someone.locator(`[id^=reference-${task}]`), reference);
    await write(someone, someone.locator(`[id^=reason-${task}]`), reason);
    await follow(someone, someone.locator('details[open]').getByRole('button', { name: 'Oplys, at opgaven er udført' }));
    await someone.getByText('Det er gemt, med hvem og hvorfor.').waitFor();
  };
  await states(owner.page, 'TA-INSTRUCTION', 'DBA-2026-31', 'Sag 2026-32');
  await step('a statement');

  // At its end a call as verification: the supplier states it, with the call that was answered above.
  await states(page, 'TA-CALL', 'Første kald besvaret', 'Sag 2026-31');
  await step('a verification call');
  const [many, of] = steps.at(-1);
  assert.equal(many, of, `every task is done: ${steps.join(' | ')}`);
  await page.locator('.badge-success', { hasText: 'færdig' }).first().waitFor();

  // Two people in one browser: an old tab of the one decides nothing as the other, who does not see what the one wrote.
  const tab = await korsbaek.context.newPage();
  await tab.goto(url + first);
  await unfold(tab, 'Suspendér');
  await fill(tab, { 'reason-suspend': 'Skrevet af Ulla' });
  await korsbaek.page.goto(`${url}/`);
  await logOff(korsbaek.page);
  await logOn(korsbaek.page, url, 'korsbaek-2');
  await follow(tab, button(tab, 'Suspendér aftalen'));
  await tab.getByText('Formularen hører til en anden session').waitFor();
  assert.equal(await button(tab, 'Send igen').count(), 0, 'nobody decides unseen what another wrote');
  await tab.getByText('Formularen er ikke skrevet i dit navn').waitFor();
  assert.ok(!(await tab.content()).includes('Skrevet af Ulla'), 'what one wrote is not shown to another');
  await follow(tab, tab.getByRole('link', { name: 'Åbn siden', exact: true }));
  await unfold(tab, 'Suspendér');
  assert.equal(await tab.locator('#reason-suspend').inputValue(), '');
  assert.equal((await call(world)).status, 200, 'nothing was suspended');

  // How the provider answers must be refused is a page that says what its administrator must set.
  await logOff(korsbaek.page);
  await korsbaek.page.goto(`${url}/log-on`);
  await follow(korsbaek.page, korsbaek.page.getByRole('link', { name: 'Log på med demo' }));
  await pick(korsbaek.page, korsbaek.page.locator('select[name=mode]'), 'unsigned');
  await follow(korsbaek.page, button(korsbaek.page, 'Log på'));
  await follow(korsbaek.page, button(korsbaek.page, 'Fortsæt til konsollen'));
  await korsbaek.page.getByText('LogOnUnsigned').waitFor();
  for (const one of [supplier, korsbaek, owner]) await one.context.close();
  return { waited, steps: steps.length };
}
