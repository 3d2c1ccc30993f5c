// The whole way of a system, through the console in Chromium, without a script on any page, logged on by SAML at the stub identity
// provider: a supplier registers a system and asks three authorities; one signatory approves, one rejects with a reason, one never
// answers and is reminded; the first call goes through the running gateway once it is approved; the connection goes step by step to
// done; two people use one browser, and a session ends while a form is being written.

import { X509Certificate, createSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import assert from 'node:assert/strict';

const SERVICE = '3053ec89-31fe-4206-878b-bba6783d7a88';
const [KORSBAEK, ANDEBY, LUNDEBY] = ['11111111', '99999981', '99999982'];
const SUPPLIER = '99999998';

/** Logs somebody on at the identity provider, as they do: the console's page, the provider's, and back. */
async function logOn(page, url, person) {
  await page.goto(`${url}/log-on`);
  await page.getByRole('link', { name: 'Log på med demo' }).click();
  await page.locator(`input[name=person][value=${person}]`).check();
  await page.getByRole('button', { name: 'Log på' }).click();
  await page.getByRole('button', { name: 'Fortsæt til konsollen' }).click();
  await page.waitForURL((at) => at.origin === url && at.pathname === '/');
}

/** Leaves the console, and the provider too. */
async function logOff(page) {
  await page.getByRole('button', { name: 'Log af' }).click();
  await page.getByText('Du er logget af.').waitFor();
  await page.getByRole('link', { name: 'Log også af dér' }).click();
  await page.waitForURL((at) => at.pathname === '/log-on' && at.search === '?left=1');
}

async function fill(page, fields) {
  for (const [id, text] of Object.entries(fields)) await page.locator(`#${id}`).fill(text);
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

  // A system, registered once although the button is pressed again after the back button.
  await page.goto(`${url}/systems`);
  await fill(page, { name: 'Nyt fagsystem', contact: 'drift@leverandor.example', reason: 'Sag 2026-31' });
  await page.getByRole('button', { name: 'Registrér' }).click();
  await page.getByText('Ændringen er gemt.').waitFor();
  const place = new URL(page.url()).pathname;
  const system = place.split('/').pop();
  const pem = readFileSync(world.users['supplier-administrator'].certificate, 'utf8').split('-----END CERTIFICATE-----')[0] + '-----END CERTIFICATE-----\n';
  await page.locator('summary', { hasText: 'Tilføj et certifikat' }).click();
  const fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
  const key = readFileSync(world.users['supplier-administrator'].key);
  const proof = createSign('sha256').update(`hjemmel certificate v1\nsystem ${system}\ncertificate ${fingerprint}\n`).sign(key, 'base64');
  await fill(page, { certificate: pem, proof, 'reason-add': 'Sag 2026-31' });
  await page.getByRole('button', { name: 'Tilføj' }).click();
  await page.getByText('Ændringen er gemt.').waitFor();
  const thumbprint = await page.locator('table[aria-labelledby=certificates] th code').first().textContent();
  await page.goBack();
  await page.goBack();
  await page.getByText('Nyt fagsystem').first().waitFor();

  // The connection, whose tasks the rest of the way does one by one.
  await page.goto(`${url}/connections/new`);
  await page.locator('#graph').selectOption('terminaladgang');
  await page.locator('#service').selectOption(SERVICE);
  await fill(page, { authority: KORSBAEK, client: system, client_supplier: SUPPLIER, reason: 'Sag 2026-31' });
  await page.locator('#terminaladgang-verification').check();
  await page.getByRole('button', { name: 'Opret forbindelsen' }).click();
  await page.getByText('opgaver er udført.').waitFor();
  const connection = url + new URL(page.url()).pathname;
  const steps = [await done(page, connection)];
  const step = async (what) => {
    const now = await done(page, connection);
    const before = steps.at(-1);
    assert.ok(now[0] > before[0], `${what} is a step: ${before} and then ${now}`);
    steps.push(now);
  };

  // One request, three authorities.
  await page.goto(`${url}/requests/new`);
  await page.locator(`input[name=service][value="${SERVICE}:front"]`).check();
  await fill(page, {
    name: 'Nyt fagsystem i tre kommuner', justification: 'Sagsbehandlere slår ydelser op', system, certificates: thumbprint.trim(),
    authorities: [KORSBAEK, ANDEBY, LUNDEBY].join('\n'), contract: 'DBA-2026-31', purpose: 'Sagsbehandling efter lov om aktiv socialpolitik',
    legal_basis: 'Lov om Udbetaling Danmark § 8, stk. 1', categories: 'ydelser', retention: 'slettes efter 5 år',
  });
  await page.getByRole('button', { name: 'Gem kladden' }).click();
  await page.locator('#reason-submit').waitFor();
  await fill(page, { 'reason-submit': 'Sag 2026-31' });
  await page.getByRole('button', { name: 'Anmod', exact: true }).click();
  const asked = page.url().split('?')[0];
  const lines = await page.locator('main table th a[href^="/agreements/"]').evaluateAll((links) => links.map((link) => [link.textContent, link.getAttribute('href')]));
  assert.equal(lines.length, 3, `a line for each authority: ${lines}`);
  const [first, second, third] = ['Korsbæk', 'Andeby', 'Lundeby'].map((name) => lines.find(([text]) => text.includes(name))[1]);
  await step('a request');

  // Before anybody approves, the gateway refuses the system.
  const before = await call(world);
  assert.ok(before.status >= 400 || /Fault/.test(before.text), `a call without an agreement is refused: ${before.status}`);

  // One signatory approves: the call goes through at once.
  const korsbaek = await open('korsbaek-1');
  await korsbaek.page.goto(url + first);
  await korsbaek.page.locator('#read').check();
  await fill(korsbaek.page, { 'reason-approve': 'Sag 2026-32' });
  await korsbaek.page.getByRole('button', { name: 'Godkend aftalen' }).click();
  await korsbaek.page.getByText('Aftalen er nu GODKENDT').waitFor();
  const approved = Date.now();
  let answer;
  do {
    answer = await call(world);
    if (Date.now() - approved > 60_000) assert.fail(`no call is answered after the approval: ${answer.status} ${answer.text.slice(0, 600)}`);
  } while (answer.status !== 200 || /Fault>/.test(answer.text));
  const waited = Date.now() - approved;
  assert.ok(waited < 5_000, `the first call was answered ${waited} ms after the approval`);
  await step('an approval');

  // One rejects with a reason, which the supplier reads; one never answers, and is reminded.
  const andeby = await open('andeby-1');
  await andeby.page.goto(url + second);
  await andeby.page.locator('summary', { hasText: 'Afvis' }).click();
  await fill(andeby.page, { 'reason-reject': 'Databehandleraftalen mangler bilag B' });
  await andeby.page.getByRole('button', { name: 'Afvis aftalen' }).click();
  await andeby.page.getByText('Aftalen er nu AFVIST').waitFor();
  assert.equal((await andeby.page.goto(url + first)).status(), 404, 'another authority\'s agreement is not there');
  await andeby.context.close();
  await page.goto(url + second);
  await page.getByText('Databehandleraftalen mangler bilag B').waitFor();
  await page.goto(url + third);
  await page.getByRole('button', { name: 'Gensend advis om anmodning' }).click();
  await page.goto(url + third);
  await page.getByRole('button', { name: 'Gensend advis om anmodning' }).click();
  await page.getByText('Det kunne ikke lade sig gøre').waitFor();
  await page.goto(asked);
  for (const state of ['GODKENDT', 'AFVIST', 'ANMODET']) await page.locator('main table').getByText(state).first().waitFor();

  // The system responsible is a user once he has logged on, and states what nobody sees.
  const owner = await open('korsbaek-2');
  await owner.page.goto(connection);
  await owner.page.locator('summary', { hasText: 'TA-INSTRUCTION' }).first().click();
  await owner.page.locator('[id^=reference-TA-INSTRUCTION]').fill('DBA-2026-31');
  await owner.page.locator('[id^=reason-TA-INSTRUCTION]').fill('Sag 2026-32');
  await owner.page.getByRole('button', { name: 'Oplys, at opgaven er udført' }).first().click();
  await owner.page.getByText('Det er gemt, med hvem og hvorfor.').waitFor();
  await step('a statement');

  // At its end a call as verification: the supplier states it, with the call that was answered above.
  await page.goto(connection);
  await page.locator('summary', { hasText: 'TA-CALL' }).first().click();
  await page.locator('[id^=reference-TA-CALL]').fill('Første kald besvaret');
  await page.locator('[id^=reason-TA-CALL]').fill('Sag 2026-31');
  await page.getByRole('button', { name: 'Oplys, at opgaven er udført' }).first().click();
  await page.getByText('Det er gemt, med hvem og hvorfor.').waitFor();
  await step('a verification call');
  const [many, of] = steps.at(-1);
  assert.equal(many, of, `every task is done: ${steps.join(' | ')}`);
  await page.locator('.badge-success', { hasText: 'færdig' }).first().waitFor();

  // Two people in one browser: an old tab of the one decides nothing as the other, and what was written is not lost.
  const tab = await korsbaek.context.newPage();
  await tab.goto(url + first);
  await tab.locator('summary', { hasText: 'Suspendér' }).click();
  await tab.locator('#reason-suspend').fill('Skrevet af Ulla');
  await korsbaek.page.goto(`${url}/`);
  await logOff(korsbaek.page);
  await logOn(korsbaek.page, url, 'korsbaek-2');
  await tab.getByRole('button', { name: 'Suspendér aftalen' }).click();
  await tab.getByText('Formularen hører til en anden session').waitFor();
  assert.equal(await tab.getByRole('button', { name: 'Send igen' }).count(), 0, 'nobody decides unseen what another wrote');
  await tab.getByRole('button', { name: 'Åbn siden med det, du skrev' }).click();
  await tab.getByText('Teksten, der besluttes om').waitFor();
  assert.equal(await tab.locator('#reason-suspend').inputValue(), 'Skrevet af Ulla');
  assert.equal((await call(world)).status, 200, 'nothing was suspended');

  // How the provider answers must be refused is a page that says what its administrator must set.
  await logOff(korsbaek.page);
  await korsbaek.page.goto(`${url}/log-on`);
  await korsbaek.page.getByRole('link', { name: 'Log på med demo' }).click();
  await korsbaek.page.locator('select[name=mode]').selectOption('unsigned');
  await korsbaek.page.getByRole('button', { name: 'Log på' }).click();
  await korsbaek.page.getByRole('button', { name: 'Fortsæt til konsollen' }).click();
  await korsbaek.page.getByText('LogOnUnsigned').waitFor();
  for (const one of [supplier, korsbaek, owner]) await one.context.close();
  return { waited, steps: steps.length };
}
