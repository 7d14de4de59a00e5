'use strict';
// Shows one dialect's OpenAPI document: the list of operations, a filter, and the chosen operation in full.
// Text from the document only ever becomes text nodes, never markup.

const methods = ['get', 'post', 'put', 'patch', 'delete'];
const source = document.body.dataset.document;
const list = document.getElementById('list');
const detail = document.getElementById('detail');
const filter = document.getElementById('filter');
const count = document.getElementById('count');
let api, operations = [];

// make builds an element: attributes first, then children, strings among them as text.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== '') element.append(child);
  return element;
}

// resolve follows a reference within the document.
function resolve(value) {
  for (let hops = 0; value && value.$ref && value.$ref.startsWith('#/') && hops < 20; hops++) {
    const { $ref, ...beside } = value;
    const target = $ref.slice(2).split('/').reduce((at, step) => at && at[decodeURIComponent(step).replace(/~1/g, '/').replace(/~0/g, '~')], api);
    value = { ...target, ...beside };
  }
  return value || {};
}

function kindOf(schema) {
  if (schema.enum) return schema.enum.map(v => JSON.stringify(v)).join(' | ');
  if ('const' in schema) return JSON.stringify(schema.const);
  const alternatives = schema.anyOf || schema.oneOf;
  if (alternatives) return alternatives.map(part => kindOf(resolve(part))).join(' or ');
  const type = [].concat(schema.type || (schema.properties ? 'object' : 'any'));
  return type.map(name => name === 'array' && schema.items ? 'array of ' + kindOf(resolve(schema.items)) : name).join(' or ');
}

function limits(schema) {
  const words = { minimum: '≥', maximum: '≤', exclusiveMinimum: '>', exclusiveMaximum: '<', minLength: 'length ≥', maxLength: 'length ≤',
    minItems: 'items ≥', maxItems: 'items ≤', pattern: 'pattern', format: 'format', default: 'default' };
  return Object.keys(words).filter(key => key in schema).map(key => words[key] + ' ' + (key === 'default' ? JSON.stringify(schema[key]) : schema[key])).join(', ');
}

// membersOf gathers what an object may hold, through combinations and lists.
function membersOf(schema) {
  schema = resolve(schema);
  let members = Object.entries(schema.properties || {}).map(([name, part]) => ({ name, part, required: (schema.required || []).includes(name) }));
  for (const part of [...(schema.allOf || []), ...(schema.anyOf || []), ...(schema.oneOf || [])]) members = members.concat(membersOf(part));
  if (!members.length && schema.items) return membersOf(schema.items);
  if (!members.length && schema.additionalProperties && typeof schema.additionalProperties === 'object') return membersOf(schema.additionalProperties);
  const seen = new Set();
  return members.filter(member => !seen.has(member.name) && seen.add(member.name));
}

// tree shows an object's members; deeper levels are built when they are opened, for schemas may be recursive.
function tree(schema) {
  const box = make('div', { class: 'tree' });
  for (const { name, part, required } of membersOf(schema)) {
    const shape = resolve(part);
    const line = [make('code', {}, name), ' ', make('span', { class: 'soft' }, kindOf(shape)), required ? make('span', { class: 'need' }, ' required') : '',
      make('span', { class: 'soft' }, limits(shape) ? ' · ' + limits(shape) : ''), shape.description ? make('div', { class: 'soft' }, shape.description) : ''];
    if (!membersOf(shape).length) { box.append(make('div', { class: 'member' }, line)); continue; }
    const branch = make('details', { class: 'member' }, make('summary', {}, line));
    branch.addEventListener('toggle', () => { if (branch.open && branch.children.length === 1) branch.append(tree(shape)); });
    box.append(branch);
  }
  return box;
}

// example fills a schema with the smallest sensible value: required members only.
function example(schema, depth = 0) {
  schema = resolve(schema);
  if ('default' in schema) return schema.default;
  if (schema.examples && schema.examples.length) return schema.examples[0];
  if (schema.enum) return schema.enum[0];
  const alternatives = schema.anyOf || schema.oneOf;
  if (alternatives) return example(alternatives[0], depth);
  switch ([].concat(schema.type || (schema.properties ? 'object' : 'null'))[0]) {
    case 'object': {
      const wanted = membersOf(schema).filter(member => member.required || depth === 0);
      return depth > 5 ? {} : Object.fromEntries(wanted.map(member => [member.name, example(member.part, depth + 1)]));
    }
    case 'array': return schema.items && depth < 5 ? [example(schema.items, depth + 1)] : [];
    case 'integer': case 'number': return schema.minimum || 1;
    case 'boolean': return true;
    case 'string': return '…';
    default: return null;
  }
}

function curl(operation, parameters, body) {
  const path = operation.path.replace(/[{}]/g, match => match === '{' ? '<' : '>');
  const query = parameters.filter(p => p.in === 'query' && p.required).map(p => p.name + '=<' + p.name + '>').join('&');
  let text = `curl -X ${operation.method.toUpperCase()} '${location.origin}${path}${query ? '?' + query : ''}' \\\n  -H "Authorization: Bearer $NEAP_TOKEN"`;
  if (body) text += ` \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(example(body.schema), null, 2).replace(/'/g, "'\\''")}'`;
  return text;
}

function bodyOf(holder) {
  const content = holder && resolve(holder).content;
  return content && content['application/json'];
}

function show(operation) {
  const parameters = (operation.parameters || []).map(resolve);
  const body = bodyOf(operation.requestBody);
  const [status, success] = Object.entries(operation.responses || {}).find(([code]) => code !== 'default') || [];
  const answer = success && bodyOf(success), refusal = operation.responses && bodyOf(operation.responses.default);
  const command = curl(operation, parameters, body);
  const copy = make('button', { type: 'button' }, 'Copy');
  copy.addEventListener('click', () => navigator.clipboard.writeText(command).then(() => { copy.textContent = 'Copied'; }));
  detail.replaceChildren(
    make('h2', {}, operation.summary || operation.operationId),
    make('p', { class: 'path' }, make('span', { class: 'method ' + operation.method }, operation.method.toUpperCase()), ' ', operation.path),
    make('p', { class: 'soft' }, 'Id ', make('code', {}, operation.operationId), ' · permission ', make('code', {}, operation['x-neap-need']),
      operation['x-neap-mutates'] ? ' · changes something' : ' · reads only', operation['x-neap-n'] ? ' · n ' + operation['x-neap-n'] : ''));
  if (parameters.length) {
    detail.append(make('h3', {}, 'Parameters'), make('table', {}, make('tr', {}, ['Name', 'In', 'Type', ''].map(title => make('th', {}, title))),
      parameters.map(p => make('tr', {}, make('td', {}, make('code', {}, p.name), p.required ? make('span', { class: 'need' }, ' required') : ''), make('td', {}, p.in),
        make('td', {}, kindOf(resolve(p.schema)), make('div', { class: 'soft' }, limits(resolve(p.schema)))), make('td', { class: 'soft' }, p.description || '')))));
  }
  if (body) detail.append(make('h3', {}, 'Body', resolve(operation.requestBody).required ? make('span', { class: 'need' }, ' required') : ''), tree(body.schema));
  detail.append(make('h3', {}, 'Example ', copy), make('pre', {}, command));
  if (answer) detail.append(make('h3', {}, 'Answer ', status), tree(answer.schema));
  if (refusal) detail.append(make('h3', {}, 'When refused'), tree(refusal.schema));
  detail.scrollTop = 0;
}

function draw() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = operations.filter(operation => words.every(word => operation.text.includes(word)));
  count.textContent = shown.length + ' of ' + operations.length + ' operations';
  const chosen = decodeURIComponent(location.hash.slice(1));
  let section = null;
  list.replaceChildren();
  for (const operation of shown) {
    if (operation.tags[0] !== section) list.append(make('h3', {}, section = operation.tags[0]));
    const link = make('a', { href: '#' + encodeURIComponent(operation.operationId) }, make('span', { class: 'method ' + operation.method }, operation.method.toUpperCase()),
      make('span', { class: 'path' }, operation.path), make('span', { class: 'soft' }, operation.summary || operation.operationId));
    if (operation.operationId === chosen) link.setAttribute('aria-current', 'true');
    list.append(link);
  }
}

function choose() {
  const chosen = decodeURIComponent(location.hash.slice(1));
  const operation = operations.find(candidate => candidate.operationId === chosen);
  if (operation) show(operation); else detail.replaceChildren(make('p', { class: 'hint' }, 'Choose an operation.'));
  for (const link of list.querySelectorAll('a')) link.toggleAttribute('aria-current', link.getAttribute('href') === location.hash);
}

async function start() {
  const answer = await fetch(source);
  if (!answer.ok) throw new Error('the document answered ' + answer.status);
  api = await answer.json();
  const order = (api.tags || []).map(tag => tag.name);
  for (const [path, item] of Object.entries(api.paths || {})) for (const method of methods) if (item[method]) {
    const operation = { ...item[method], method, path };
    operation.text = [method, path, operation.operationId, operation.summary, operation['x-neap-need'], operation.tags[0]].join(' ').toLowerCase();
    operations.push(operation);
  }
  operations.sort((a, b) => order.indexOf(a.tags[0]) - order.indexOf(b.tags[0]) || a.path.localeCompare(b.path) || methods.indexOf(a.method) - methods.indexOf(b.method));
  draw();
  choose();
}

filter.addEventListener('input', draw);
window.addEventListener('hashchange', choose);
start().catch(problem => detail.replaceChildren(make('p', { class: 'hint' }, 'The document could not be shown: ' + problem.message)));
