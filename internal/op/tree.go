package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/neap-cloud/neap/internal/fault"
)

// form is what a JSON value is.
type form byte

const (
	isObject form = '{'
	isArray  form = '['
	isText   form = '"'
	isNumber form = '0'
	isTruth  form = 't'
	isNull   form = 'n'
)

// node is one JSON value of a parsed text: members keep their order, numbers and strings their spelling.
type node struct {
	kind    form
	source  []byte   // the value as written
	members []member // of an object
	items   []node   // of an array
}

type member struct {
	key   string
	quote []byte // the key as written, with its quotes
	value node
}

// parse reads one JSON value and nothing else. It refuses what JSON permits but nobody can keep faithfully: repeated keys, numbers beyond any
// machine number, NUL characters and half surrogate pairs, nesting beyond maxDepth.
func parse(source []byte, maxDepth int) (node, error) {
	if !utf8.Valid(source) {
		return node{}, fault.Of(fault.Invalid, "body", "The body is not valid UTF-8.")
	}
	if err := wellFormed(source); err != nil {
		return node{}, err
	}
	p := parser{source: source, maxDepth: maxDepth}
	root, problem := p.value(0)
	if problem != nil {
		return node{}, problem
	}
	return root, nil
}

func wellFormed(source []byte) error {
	if json.Valid(source) {
		return nil
	}
	var ignored json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(source)).Decode(&ignored); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fault.Of(fault.Invalid, "body", "The body is not well-formed JSON: it ends too early.")
	}
	err := json.Unmarshal(source, &ignored)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fault.Of(fault.Invalid, "body", "The body is not well-formed JSON.").With(err)
	}
	before := source[:max(0, min(int(syntax.Offset)-1, len(source)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fault.Of(fault.Invalid, "body", "The body is not well-formed JSON: line %d, column %d: %s.", line, column, syntax.Error())
}

// parser walks a text that is known to be well-formed.
type parser struct {
	source   []byte
	at       int
	maxDepth int
}

func (p *parser) space() {
	for p.at < len(p.source) {
		switch p.source[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value(depth int) (node, *fault.Error) {
	p.space()
	start := p.at
	var n node
	var problem *fault.Error
	switch c := p.source[p.at]; c {
	case '{', '[':
		if depth >= p.maxDepth {
			return n, fault.Field("", "is nested too deeply; at most %d levels are accepted", p.maxDepth)
		}
		p.at++
		if c == '{' {
			n.kind = isObject
			n.members, problem = p.object(depth)
		} else {
			n.kind = isArray
			n.items, problem = p.array(depth)
		}
	case '"':
		n.kind = isText
		problem = p.text()
	case 't', 'n':
		n.kind = form(c)
		p.at += 4
	case 'f':
		n.kind = isTruth
		p.at += 5
	default:
		n.kind = isNumber
		problem = p.number()
	}
	n.source = p.source[start:p.at]
	return n, problem
}

func (p *parser) object(depth int) ([]member, *fault.Error) {
	var members []member
	var seen map[string]bool
	for p.space(); p.source[p.at] != '}'; p.space() {
		if p.source[p.at] == ',' {
			p.at++
			p.space()
		}
		start := p.at
		if problem := p.text(); problem != nil {
			return nil, problem
		}
		m := member{quote: p.source[start:p.at]}
		m.key = unquote(m.quote)
		if seen = note(seen, members, m.key); seen[m.key] {
			return nil, fault.Field(m.key, "is given twice; give it once")
		}
		p.space()
		p.at++ // the colon
		var problem *fault.Error
		if m.value, problem = p.value(depth + 1); problem != nil {
			return nil, within(m.key, problem)
		}
		members = append(members, m)
	}
	p.at++
	return members, nil
}

// note reports through its result whether key is among members; small objects are searched, large ones indexed.
func note(seen map[string]bool, members []member, key string) map[string]bool {
	const small = 12
	if len(members) < small {
		for i := range members {
			if members[i].key == key {
				return map[string]bool{key: true}
			}
		}
		return nil
	}
	if seen == nil {
		seen = make(map[string]bool, 2*small)
	}
	for i := len(seen); i < len(members); i++ {
		seen[members[i].key] = true
	}
	return seen
}

func (p *parser) array(depth int) ([]node, *fault.Error) {
	var items []node
	for p.space(); p.source[p.at] != ']'; p.space() {
		if p.source[p.at] == ',' {
			p.at++
		}
		item, problem := p.value(depth + 1)
		if problem != nil {
			return nil, within("["+strconv.Itoa(len(items))+"]", problem)
		}
		items = append(items, item)
	}
	p.at++
	return items, nil
}

func (p *parser) text() *fault.Error {
	start := p.at
	for p.at++; p.source[p.at] != '"'; p.at++ {
		if p.source[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
	if quoted := p.source[start:p.at]; bytes.Contains(quoted, []byte(`\u`)) && !faithful(quoted) {
		return fault.Field("", "has a NUL character or half of a surrogate pair in its text")
	}
	return nil
}

// faithful reports whether every \u escape of a quoted string stands for a character that every store can keep.
func faithful(quoted []byte) bool {
	code := func(at int) uint64 {
		if at+6 > len(quoted) || quoted[at] != '\\' || quoted[at+1] != 'u' {
			return 0
		}
		c, err := strconv.ParseUint(string(quoted[at+2:at+6]), 16, 32)
		if err != nil {
			return 0
		}
		return c
	}
	for i := 0; i < len(quoted); i++ {
		if quoted[i] != '\\' {
			continue
		}
		if quoted[i+1] != 'u' {
			i++
			continue
		}
		switch c := code(i); {
		case c == 0, c >= 0xDC00 && c <= 0xDFFF:
			return false
		case c >= 0xD800 && c <= 0xDBFF:
			if low := code(i + 6); low < 0xDC00 || low > 0xDFFF {
				return false
			}
			i += 6
		}
		i += 5
	}
	return true
}

func (p *parser) number() *fault.Error {
	start := p.at
	for p.at < len(p.source) && bytes.IndexByte([]byte("+-.0123456789eE"), p.source[p.at]) >= 0 {
		p.at++
	}
	written := string(p.source[start:p.at])
	if len(written) <= 15 && !strings.ContainsAny(written, "eE") {
		return nil
	}
	_, err := strconv.ParseFloat(written, 64)
	_, exponent, _ := strings.Cut(strings.ToLower(written), "e")
	// Exact arithmetic on 1e-999999 would need a megabyte per number.
	if err != nil || len(written) > 400 || len(strings.TrimLeft(exponent, "+-0")) > 3 {
		return fault.Field("", "is a number beyond what is accepted")
	}
	return nil
}

// within puts a step in front of the path of a fault that was found deeper.
func within(step string, problem *fault.Error) *fault.Error {
	switch {
	case problem.Field == "":
		problem.Field = step
	case problem.Field[0] == '[':
		problem.Field = step + problem.Field
	default:
		problem.Field = step + "." + problem.Field
	}
	return problem
}

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(quoted) // cannot happen: the text is well-formed
	}
	return s
}

// value is the node as encoding/json with UseNumber would give it.
func (n node) value() any {
	switch n.kind {
	case isObject:
		m := make(map[string]any, len(n.members))
		for _, member := range n.members {
			m[member.key] = member.value.value()
		}
		return m
	case isArray:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	case isText:
		return unquote(n.source)
	case isNumber:
		return json.Number(n.source)
	case isNull:
		return nil
	default:
		return n.source[0] == 't'
	}
}

// member finds a key of an object.
func (n node) member(key string) (node, bool) {
	for _, m := range n.members {
		if m.key == key {
			return m.value, true
		}
	}
	return node{}, false
}

// append writes the node: as it stood in its source, or a composed one part by part.
func (n node) append(to []byte) []byte {
	if n.source != nil {
		return append(to, n.source...)
	}
	if n.kind == isArray {
		to = append(to, '[')
		for i, item := range n.items {
			if i > 0 {
				to = append(to, ',')
			}
			to = item.append(to)
		}
		return append(to, ']')
	}
	to = append(to, '{')
	for i, m := range n.members {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(append(to, m.quote...), ':')
		to = m.value.append(to)
	}
	return append(to, '}')
}
