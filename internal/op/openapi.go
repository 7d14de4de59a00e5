package op

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/neap-cloud/neap/internal/fault"
)

// description is the OpenAPI 3.1 document of one dialect in the making.
type description struct {
	dialect *Dialect
	doc     *huma.OpenAPI
	schemas *Schemas
	known   map[string]bool // sections
}

const jsonType = "application/json"

func newDescription(d *Dialect, version string, schemas *Schemas) *description {
	doc := &huma.OpenAPI{
		OpenAPI:           "3.1.0",
		Info:              &huma.Info{Title: d.Title, Version: orElse(version, "unreleased")},
		JSONSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
		Security:          []map[string][]string{{"token": {}}},
		Components: &huma.Components{
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": scheme(d.Carrier)},
			Parameters: map[string]*huma.Param{"dryRun": {
				Name: "Neap-Dry-Run", In: "header", Schema: &huma.Schema{Type: "boolean"},
				Description: "Answers as if it were done and changes nothing; the header Neap-Decision of the answer names the stored plan.",
			}},
			Responses: map[string]*huma.Response{"refused": {
				Description: "Refused. The sentences say what to change.",
				Content: contentLike(func() any {
					return d.Refuse(&Call{}, http.StatusBadRequest, fault.Field("path.of.the.field", "is required"))
				}),
			}},
		},
	}
	if name := d.AccountFrom; name != "" {
		doc.Components.Parameters["account"] = &huma.Param{
			Name: name, In: "query", Schema: &huma.Schema{Type: "string"},
			Description: "The account that the request is about. Without it: the object's own account, else the caller's default.",
		}
	}
	return &description{dialect: d, doc: doc, schemas: schemas, known: map[string]bool{}}
}

func scheme(c Carrier) *huma.SecurityScheme {
	if c == (Carrier{}) {
		return &huma.SecurityScheme{Type: "http", Scheme: "bearer"}
	}
	return &huma.SecurityScheme{Type: "apiKey", In: c.In, Name: c.Name}
}

// add describes a route and returns it as huma knows it.
func (d *description) add(rt *route) *huma.Operation {
	row := rt.row
	section := sectionOf(row, rt.path)
	if !d.known[section] {
		d.known[section] = true
		d.doc.Tags = append(d.doc.Tags, &huma.Tag{Name: section})
	}
	operation := &huma.Operation{
		OperationID: rt.operation, Method: rt.method, Path: rt.path, Summary: row.Title, Tags: []string{section},
		Parameters: d.parameters(rt), RequestBody: d.body(rt),
		Responses: map[string]*huma.Response{
			strconv.Itoa(orElse(row.Status, http.StatusOK)): d.success(row),
			"default": {Ref: "#/components/responses/refused"},
		},
		Extensions: map[string]any{"x-neap-need": row.Need, "x-neap-mutates": row.Mutates},
	}
	if row.N != 0 {
		operation.Extensions["x-neap-n"] = row.N
	}
	if row.Open {
		operation.Security = []map[string][]string{{}}
	}
	d.doc.AddOperation(operation)
	return operation
}

// success describes what is answered: a body in the dialect's envelope, or events, which have none.
func (d *description) success(row Row) *huma.Response {
	if row.Do.streams {
		event := contentLike(row.Do.out)[jsonType]
		return &huma.Response{Description: "A stream of Server-Sent Events. The data of each is JSON of this form; that of an event named error is a refusal.", Content: map[string]*huma.MediaType{eventsType: event}}
	}
	return &huma.Response{Description: "Done.", Content: contentLike(func() any { return d.dialect.Answer(&Call{Row: row}, row.Do.out()) })}
}

func (d *description) parameters(rt *route) []*huma.Param {
	var list []*huma.Param
	described := map[string]bool{}
	for _, in := range rt.row.Do.in {
		if in.place == "body" {
			continue
		}
		described[in.name] = true
		list = append(list, &huma.Param{Name: in.name, In: in.place, Required: in.required, Schema: in.schema, Description: in.schema.Description})
	}
	for _, step := range strings.Split(rt.path, "{")[1:] {
		if name, _, _ := strings.Cut(step, "}"); !described[name] {
			list = append(list, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: "string"}})
		}
	}
	if name := d.dialect.AccountFrom; name != "" && !rt.row.NoAccount && !rt.row.Target.IsAccount && !described[name] {
		list = append(list, &huma.Param{Ref: "#/components/parameters/account"})
	}
	if rt.row.Do.streams && described["after"] {
		list = append(list, &huma.Param{Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: "string"}, Description: "The id of the last event that was taken; it goes before after."})
	}
	if rt.row.Mutates {
		list = append(list, &huma.Param{Ref: "#/components/parameters/dryRun"})
	}
	return list
}

func (d *description) body(rt *route) *huma.RequestBody {
	if !rt.takesBody {
		return nil
	}
	schema := &huma.Schema{Type: "object"}
	if rt.row.Body != "" {
		schema = &huma.Schema{Ref: componentRef("", rt.row.Body)}
	}
	return &huma.RequestBody{
		Required: rt.row.Body != "" && !rt.row.BodyOptional,
		Content:  map[string]*huma.MediaType{jsonType: {Schema: schema}},
	}
}

// contentLike describes a body by an example of it: the envelope that the dialect makes of a zero answer. A dialect that cannot wrap one has a
// body of any shape.
func contentLike(example func() any) (content map[string]*huma.MediaType) {
	defer func() {
		if recover() != nil {
			content = map[string]*huma.MediaType{jsonType: {Schema: &huma.Schema{}}}
		}
	}()
	text, err := json.Marshal(example())
	if err != nil {
		return map[string]*huma.MediaType{jsonType: {Schema: &huma.Schema{}}}
	}
	root, err := parse(text, mergeDepth)
	if err != nil {
		return map[string]*huma.MediaType{jsonType: {Schema: &huma.Schema{}}}
	}
	return map[string]*huma.MediaType{jsonType: {Schema: shapeOf(root)}}
}

// shapeOf is the schema that a value exemplifies.
func shapeOf(n node) *huma.Schema {
	switch n.kind {
	case isObject:
		schema := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{}}
		for _, m := range n.members {
			schema.Properties[m.key] = shapeOf(m.value)
		}
		return schema
	case isArray:
		schema := &huma.Schema{Type: "array", Items: &huma.Schema{}}
		if len(n.items) > 0 {
			schema.Items = shapeOf(n.items[0])
		}
		return schema
	case isText:
		return &huma.Schema{Type: "string"}
	case isNumber:
		return &huma.Schema{Type: "number"}
	case isTruth:
		return &huma.Schema{Type: "boolean"}
	default:
		return &huma.Schema{}
	}
}

// write gives the finished document, with the dialect's schema files as its components: as they are, but for references, which become the document's.
func (d *description) write() ([]byte, error) {
	components := make(map[string]json.RawMessage, len(d.schemas.files))
	for name, content := range d.schemas.files {
		root, err := parse(content, mergeDepth)
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		components[name] = transplant(name, root).append(nil)
	}
	d.doc.Components.Extensions = map[string]any{"schemas": components}
	return json.Marshal(d.doc)
}

// transplant rewrites a schema for its place among the components.
func transplant(file string, n node) node {
	switch n.kind {
	case isArray:
		items := make([]node, len(n.items))
		for i, item := range n.items {
			items[i] = transplant(file, item)
		}
		return node{kind: isArray, items: items}
	case isObject:
		out := node{kind: isObject}
		for _, m := range n.members {
			switch {
			case m.value.kind == isText && (m.key == "$schema" || m.key == "$id"):
				continue
			case m.value.kind == isText && m.key == "$ref":
				m.value = textNode(componentRef(file, unquote(m.value.source)))
			default:
				m.value = transplant(file, m.value)
			}
			out.members = append(out.members, m)
		}
		return out
	default:
		return n
	}
}

// componentRef turns "file.json#/$defs/x", as written in a file, into a reference within the document.
func componentRef(file, ref string) string {
	other, part, _ := strings.Cut(ref, "#")
	if other != "" {
		file = strings.TrimSuffix(other, ".json")
	}
	if part != "" && part[0] != '/' {
		return "#" + part // an $anchor
	}
	return "#/components/schemas/" + file + part
}

func textNode(s string) node {
	source, err := json.Marshal(s)
	if err != nil {
		source = []byte(`""`) // cannot happen: every string can be written
	}
	return node{kind: isText, source: source}
}
