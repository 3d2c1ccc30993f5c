// The keyboard alone: how somebody uses a page who has no mouse. Every stop of the Tab key must show that it has the focus.

import assert from 'node:assert/strict';

/** More stops than any page has. */
const STOPS = 400;
/** What is longer is pasted, as a person does with a certificate. */
const TYPED = 24;

/** The worlds of our own in which pages are looked at: where scripts are off, a page has none that can be relied on. */
const worlds = new WeakMap();

async function world(page) {
  const session = worlds.get(page)?.session ?? (await page.context().newCDPSession(page));
  const { frameTree } = await session.send('Page.getFrameTree');
  const { executionContextId } = await session.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'keys' });
  worlds.set(page, { session, executionContextId });
  return worlds.get(page);
}

/** What a function gives that runs in the page. */
async function inPage(page, looks, ...words) {
  const expression = `(${looks})(${words.map((word) => JSON.stringify(word)).join(', ')})`;
  const ask = ({ session, executionContextId }) => session.send('Runtime.evaluate', { expression, contextId: executionContextId, returnByValue: true });
  const known = worlds.get(page) ?? (await world(page));
  // The world of a page ends with the page.
  const { result, exceptionDetails } = await ask(known).catch(async () => ask(await world(page)));
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

/** Runs in the page: what is wrong with how what has the focus shows it, and whether it leads past the menu. */
function look() {
  const has = document.activeElement;
  // Past the last stop, before the first one: the browser's own.
  if (!has || has === document.body) return { wrong: null, past: false };
  // As it is once whatever moves has come to rest.
  has.getAnimations().forEach((moving) => moving.finish());
  const style = getComputedStyle(has);
  const box = has.getBoundingClientRect();
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const inSight = box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  const named = has.tagName.toLowerCase() + (has.id ? `#${has.id}` : '') + ` "${(has.textContent || has.name || '').trim().slice(0, 40)}"`;
  const wrong = !outlined ? `${named} shows no focus` : !inSight ? `${named} has the focus out of sight` : null;
  return { wrong, past: has.matches('a.skipnav') };
}

/** Runs in the page, once a key was pressed: what can be used there and cannot have the focus, or does not show it. */
export function unseen() {
  const used = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')];
  const of = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''} "${(element.textContent || element.name || '').trim().slice(0, 40)}"`;
  return used.filter((element) => element.checkVisibility()).flatMap((element) => {
    element.focus();
    element.getAnimations().forEach((moving) => moving.finish());
    const style = getComputedStyle(element);
    if (document.activeElement !== element || element.tabIndex < 0) return [`the keyboard does not reach ${of(element)}`];
    return style.outlineStyle === 'none' || parseFloat(style.outlineWidth) === 0 ? [`${of(element)} shows no focus`] : [];
  });
}

/** Tab until what is wanted has the focus; of several, until one of them has. The first stop of a page leads past its menu. */
export async function tabTo(page, wanted) {
  // The tab that is used is in front: what is behind gets less of the machine.
  await page.bringToFront();
  await wanted.first().waitFor();
  const begins = await inPage(page, () => document.activeElement === document.body);
  const ahead = begins && (await wanted.and(page.locator('main *')).count()) > 0;
  const reached = wanted.and(page.locator(':focus'));
  for (let stops = 0; stops < STOPS; stops += 1) {
    await page.keyboard.press('Tab');
    const { wrong, past } = await inPage(page, look);
    assert.equal(wrong, null, `${page.url()}: ${wrong}`);
    if ((await reached.count()) > 0) return;
    if (past && ahead) await page.keyboard.press('Enter');
  }
  throw new Error(`${page.url()}: the keyboard does not reach ${wanted}`);
}

/** Writes in a field, over what stands there. */
export async function write(page, field, text) {
  await tabTo(page, field);
  await page.keyboard.press('Control+A');
  if (text.length > TYPED) await page.keyboard.insertText(text);
  else await page.keyboard.type(text);
  assert.equal(await field.inputValue(), text, `${page.url()}: ${field} has what was typed`);
}

/** Writes in fields, by their ids, in the order in which they stand. */
export async function fill(page, fields) {
  for (const [id, text] of Object.entries(fields)) await write(page, page.locator(`[id="${id}"]`), text);
}

/** Ticks a box. */
export async function tick(page, box) {
  await tabTo(page, box);
  await page.keyboard.press('Space');
  assert.ok(await box.isChecked(), `${page.url()}: the space bar ticks ${box}`);
}

/** Chooses one of several radio buttons: Tab leads to them, the arrows from one to the next. */
export async function choose(page, name, value) {
  await tabTo(page, page.locator(`input[type=radio][name="${name}"]`));
  const chosen = page.locator(`input[type=radio][name="${name}"][value="${value}"]`);
  for (let stops = 0; stops < STOPS && (await chosen.and(page.locator(':focus')).count()) === 0; stops += 1) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  assert.equal((await inPage(page, look)).wrong, null);
  assert.ok(await chosen.isChecked(), `${page.url()}: the arrows choose ${value}`);
}

/** Picks from a list, by the arrows. */
export async function pick(page, list, value) {
  await tabTo(page, list);
  const away = () => inPage(page, (wanted) => {
    const { options, selectedIndex } = document.activeElement;
    return [...options].findIndex((option) => option.value === wanted) - selectedIndex;
  }, value);
  for (let left = await away(); left !== 0; ) {
    await page.keyboard.press(left > 0 ? 'ArrowDown' : 'ArrowUp');
    const now = await away();
    assert.ok(Math.abs(now) < Math.abs(left), `${page.url()}: the arrows lead to ${value} in ${list}`);
    left = now;
  }
  assert.equal(await list.inputValue(), value);
}

/** Presses what opens on the same page. */
export async function press(page, thing) {
  await tabTo(page, thing);
  await page.keyboard.press('Enter');
}

/** Presses a button or a link, and waits for the page that it leads to. */
export async function follow(page, thing) {
  await tabTo(page, thing);
  await Promise.all([page.waitForEvent('domcontentloaded'), page.keyboard.press('Enter')]);
}

/** Presses a button twice: the answer to the first never comes, although the server did what it says. */
export async function twice(page, thing) {
  await tabTo(page, thing);
  let told;
  const taken = new Promise((resolve) => (told = resolve));
  await page.route('**', (route) => told(route.fetch({ maxRedirects: 0 })), { times: 1 });
  await page.keyboard.press('Enter');
  const answer = await taken;
  assert.ok(answer.status() < 400, `${page.url()}: the first was answered ${answer.status()}`);
  await Promise.all([page.waitForEvent('domcontentloaded'), page.keyboard.press('Enter')]);
}
