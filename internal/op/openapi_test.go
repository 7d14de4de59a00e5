package op

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func document(t *testing.T, h *house, dialect string) map[string]any {
	t.Helper()
	w := h.ask("GET /openapi/"+dialect+".json", "Authorization:")
	doc, ok := read(t, w.Body.Bytes()).(map[string]any)
	if w.Code != 200 || !ok {
		t.Fatalf("the document answers %d", w.Code)
	}
	return doc
}

// at follows a path of keys and indexes.
func at(t *testing.T, value any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch key := step.(type) {
		case string:
			members, ok := value.(map[string]any)
			if value, ok = members[key]; !ok {
				t.Fatalf("there is no %v", path[:i+1])
			}
		case int:
			list, ok := value.([]any)
			if !ok || key >= len(list) {
				t.Fatalf("there is no %v", path[:i+1])
			}
			value = list[key]
		}
	}
	return value
}

func TestTheDocumentDescribesEveryOperation(t *testing.T) {
	h := open(t)
	for _, d := range []Dialect{h.zoo.dialect(), shop()} {
		doc := document(t, h, d.Name)
		if version := at(t, doc, "openapi"); version != "3.1.0" {
			t.Errorf("version %v", version)
		}
		for _, o := range Operations(d) {
			described := at(t, doc, "paths", o.Path, strings.ToLower(o.Method))
			if at(t, described, "operationId") != o.ID || at(t, described, "x-neap-need") != o.Need || at(t, described, "x-neap-mutates") != o.Mutates || at(t, described, "tags", 0) != o.Section {
				t.Errorf("%s is described as %v", o.ID, described)
			}
			if at(t, described, "responses", "default", "$ref") != "#/components/responses/refused" {
				t.Errorf("%s has no refusal", o.ID)
			}
		}
	}
}

func TestTheDocumentDescribesInputsAndAnswers(t *testing.T) {
	doc := document(t, open(t), "zoo")
	feed := at(t, doc, "paths", "/zoo/animal/{animalId}/feed", "put")
	var parameters []string
	for _, p := range at(t, feed, "parameters").([]any) {
		if ref, ok := p.(map[string]any)["$ref"]; ok {
			parameters = append(parameters, ref.(string))
			continue
		}
		line := at(t, p, "in").(string) + " " + at(t, p, "name").(string)
		if p.(map[string]any)["required"] == true {
			line += " required"
		}
		parameters = append(parameters, line)
	}
	want := []string{"path animalId required", "header Idempotency-Key", "header X-Meals", "query amount required", "query food", "query at", "query wet", "query until", "#/components/parameters/account"}
	if !slices.Equal(parameters, want) {
		t.Errorf("parameters %q", parameters)
	}
	if at(t, feed, "parameters", 4, "schema", "enum", 1) != "fish" || at(t, feed, "parameters", 4, "schema", "default") != "hay" {
		t.Errorf("the set of foods is missing: %v", at(t, feed, "parameters", 4))
	}
	if key := at(t, feed, "parameters", 1); at(t, key, "schema", "maxLength") != json.Number("9") || at(t, key, "description") != "The same feeding again" {
		t.Errorf("the header is described as %v", key)
	}
	create := at(t, doc, "paths", "/zoo/animal", "post")
	if at(t, create, "requestBody", "required") != true || at(t, create, "requestBody", "content", jsonType, "schema", "$ref") != "#/components/schemas/animal" {
		t.Errorf("the body of create: %v", at(t, create, "requestBody"))
	}
	if at(t, create, "responses", "200", "content", jsonType, "schema", "properties", "zoo", "properties", "id", "type") != "string" {
		t.Error("the answer of create is not described")
	}
	free := at(t, doc, "paths", "/zoo/animal/{animalId}", "delete")
	if at(t, free, "responses", "202"); at(t, free, "requestBody", "content", jsonType, "schema", "$ref") != "#/components/schemas/animal/$defs/farewell" {
		t.Error("the body of free is not a part of the file")
	}
	if at(t, doc, "components", "responses", "refused", "content", jsonType, "schema", "properties", "zooError", "items", "properties", "Message", "type") != "string" {
		t.Error("the refusal is not described")
	}
}

func TestSchemasAreComponentsWithReferencesThatResolve(t *testing.T) {
	doc := document(t, open(t), "zoo")
	if at(t, doc, "components", "schemas", "animal", "$defs", "animal", "properties", "legs", "maximum") != json.Number("8") {
		t.Error("the schema has changed")
	}
	if _, there := at(t, doc, "components", "schemas", "animal").(map[string]any)["$schema"]; there {
		t.Error("a component names its own $schema")
	}
	refs := 0
	var visit func(value any)
	visit = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				refs++
				steps := []any{}
				for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
					steps = append(steps, step)
				}
				at(t, doc, steps...)
			}
			for _, member := range v {
				visit(member)
			}
		case []any:
			for _, item := range v {
				visit(item)
			}
		}
	}
	visit(doc)
	if refs < 12 {
		t.Errorf("only %d references", refs)
	}
}

func TestDocumentsAndPagesAreServedCompressedAndCached(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/openapi", "/openapi/", "/openapi/zoo", "/openapi/zoo/", "/openapi/zoo.json", "/openapi/files/browse.js", "/openapi/files/browse.css"} {
		plain := h.ask("GET "+path, "Authorization:")
		packed := h.ask("GET "+path, "Authorization:", "Accept-Encoding: br, gzip")
		unpacked, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || plain.Code != 200 || packed.Header().Get("Content-Encoding") != "gzip" || !bytes.Equal(text, plain.Body.Bytes()) {
			t.Errorf("%s: plain %d, packed %v, %v", path, plain.Code, packed.Header(), err)
		}
		again := h.ask("GET "+path, "Authorization:", "If-None-Match: "+plain.Header().Get("ETag"))
		if again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s asked again: %d", path, again.Code)
		}
		if policy := plain.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if plain.Header().Get("X-Content-Type-Options") != "nosniff" || plain.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, plain.Header())
		}
	}
}

func TestPagesNeedNothingFromElsewhere(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/openapi", "/openapi/zoo", "/openapi/files/browse.js", "/openapi/files/browse.css"} {
		text := h.ask("GET "+path, "Authorization:").Body.String()
		if elsewhere := regexp.MustCompile(`(https?:)?//[a-z0-9.-]+\.[a-z]+|@import|\burl\(`).FindString(text); elsewhere != "" {
			t.Errorf("%s refers to %s", path, elsewhere)
		}
		if inline := regexp.MustCompile(`<script>|<style>|style="|\son[a-z]+="|innerHTML|eval\(`).FindString(text); inline != "" {
			t.Errorf("%s has %s, which its policy forbids or which could turn text into markup", path, inline)
		}
		for _, link := range regexp.MustCompile(`(?:href|src|data-document)="(/[^"]*)"`).FindAllStringSubmatch(text, -1) {
			if w := h.ask("GET "+link[1], "Authorization:"); w.Code != 200 {
				t.Errorf("%s links to %s, which answers %d", path, link[1], w.Code)
			}
		}
	}
}

// TestThePageShowsEveryOperation runs the page's script in Node on a small stand-in for a browser's document.
func TestThePageShowsEveryOperation(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node is not installed; the page's script is not run")
	}
	h := open(t)
	server := httptest.NewServer(h)
	defer server.Close()
	script, err := filepath.Abs("testdata/browse.mjs")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), node, script, server.URL, "zoo", "zoo.animal.create")
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"8 of 8 operations", "filtered: 1 of 8 operations", "/zoo/animal/{animalId}/feed", "Create an animal", "zoo:createAnimal", "animal object required", "name string required", "curl -X POST", `"name": "…"`,
	} {
		if !strings.Contains(string(out), part) {
			t.Errorf("the page lacks %q:\n%s", part, out)
		}
	}
}
