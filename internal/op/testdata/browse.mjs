// Runs the page's script against a small stand-in for a browser's document, and prints what a reader would see.
// Arguments: base URL of the server, dialect, id of the operation to choose.
const [server, dialect, chosen] = process.argv.slice(2);

class Element {
  constructor(tag) { this.tag = tag; this.attributes = {}; this.children = []; this.listeners = {}; this.dataset = {}; this.value = ''; }
  setAttribute(name, value) { this.attributes[name] = value; }
  getAttribute(name) { return this.attributes[name]; }
  toggleAttribute(name, on) { if (on) this.attributes[name] = ''; else delete this.attributes[name]; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  set textContent(text) { this.children = [text]; }
  querySelectorAll(tag) { return this.children.flatMap(c => c instanceof Element ? [...(c.tag === tag ? [c] : []), ...c.querySelectorAll(tag)] : []); }
  text() { return this.children.map(c => c instanceof Element ? c.text() : String(c)).join('') + (['div', 'h2', 'h3', 'p', 'a', 'tr', 'pre', 'summary'].includes(this.tag) ? '\n' : ''); }
}

const byId = Object.fromEntries(['list', 'detail', 'filter', 'count'].map(id => [id, new Element('div')]));
const body = new Element('body');
body.dataset.document = `${server}/openapi/${dialect}.json`;
Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
globalThis.location = { hash: '#' + chosen, origin: server };
globalThis.window = new Element('window');
globalThis.document = { body, getElementById: id => byId[id], createElement: tag => new Element(tag) };

const script = await (await fetch(`${server}/openapi/files/browse.js`)).text();
await new Function(script.replace("'use strict';", '').replace(/start\(\)\.catch[^\n]*/, 'return start();'))();
console.log(byId.count.text());
console.log(byId.list.text());
// Open the whole tree, as a reader would by clicking.
for (let opened = 0; opened < 50;) {
  const closed = byId.detail.querySelectorAll('details').filter(d => !d.open);
  if (!closed.length) break;
  for (const branch of closed) { branch.open = true; opened++; branch.listeners.toggle(); }
}
console.log(byId.detail.text());
byId.filter.value = 'put FEED';
byId.filter.listeners.input();
console.log('filtered: ' + byId.count.text());
