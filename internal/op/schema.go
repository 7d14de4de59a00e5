package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/neap-cloud/neap/internal/fault"
)

// Schemas are the JSON Schemas (2020-12) of a dialect, by name: "elastigroup" is the file elastigroup.json, "elastigroup#/$defs/capacity" a part
// of it, "elastigroup#create" its part with that $anchor. Files may refer to each other ("common.json#/$defs/tag"). Safe for concurrent use.
type Schemas struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*validator
	files    map[string][]byte
}

// base is where the files stand; the references between them are resolved against it, and nothing is ever fetched.
const base = "neap:///"

// noFetch refuses what is not among the files.
type noFetch struct{}

func (noFetch) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not among the dialect's schema files", url)
}

// NewSchemas reads every *.json file of the folder and compiles it with its $defs, so that a broken schema shows at start.
func NewSchemas(folder fs.FS) (*Schemas, error) {
	s := &Schemas{compiler: jsonschema.NewCompiler(), compiled: map[string]*validator{}, files: map[string][]byte{}}
	s.compiler.DefaultDraft(jsonschema.Draft2020)
	s.compiler.UseLoader(noFetch{})
	if folder == nil {
		return s, nil
	}
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		if err := s.compiler.AddResource(base+name, schema); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		s.files[strings.TrimSuffix(name, ".json")] = content
	}
	return s, s.compileAll()
}

func (s *Schemas) compileAll() error {
	for name, content := range s.files {
		if _, err := s.named(name); err != nil {
			return err
		}
		root, err := parse(content, mergeDepth)
		if err != nil {
			return fmt.Errorf("schema %s: %w", name, err)
		}
		parts, _ := root.member("$defs")
		for _, part := range parts.members {
			if _, err := s.named(name + "#/$defs/" + part.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Schemas) named(name string) (*validator, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.compiled[name]; ok {
		return v, nil
	}
	file, part, _ := strings.Cut(name, "#")
	schema, err := s.compiler.Compile(base + strings.TrimSuffix(file, ".json") + ".json#" + part)
	if err != nil {
		return nil, fmt.Errorf("schema %q: %w", name, err)
	}
	v := &validator{schema}
	s.compiled[name] = v
	return v, nil
}

// Validate checks a document against the schema of that name. The error folds one fault.Field per fault (fault.All), each with its path as the
// client wrote it. Patched documents are validated by this: the result of a MergePatch, not the patch.
func (s *Schemas) Validate(name string, doc []byte) error {
	v, err := s.named(name)
	if err != nil {
		return fault.As(err)
	}
	root, err := parse(doc, mergeDepth)
	if err != nil {
		return err
	}
	return fault.All(v.node(root))
}

// UnknownMembers lists the paths of the members that the schema of that name neither describes nor leaves open, in the document's order. They are
// permitted and kept; the caller tells the user that they have no effect.
func (s *Schemas) UnknownMembers(name string, doc []byte) ([]string, error) {
	v, err := s.named(name)
	if err != nil {
		return nil, err
	}
	root, err := parse(doc, mergeDepth)
	if err != nil {
		return nil, err
	}
	var unknown []string
	unknownMembers([]*jsonschema.Schema{v.schema}, root, "", &unknown)
	return unknown, nil
}

// validator is one compiled schema.
type validator struct{ schema *jsonschema.Schema }

func (v *validator) node(root node) []*fault.Error {
	return v.value(root.value())
}

func (v *validator) value(value any) []*fault.Error {
	err := v.schema.Validate(value)
	if err == nil {
		return nil
	}
	var failed *jsonschema.ValidationError
	if !errors.As(err, &failed) {
		return []*fault.Error{fault.Field("", "cannot be checked: %v", err)}
	}
	return sentences(failed, value)
}

// validatorOf compiles the schema of a parameter, so that parameters and bodies are refused in the same words.
func validatorOf(schema *huma.Schema) *validator {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(fmt.Sprintf("op: schema of a parameter: %v", err))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(fmt.Sprintf("op: schema of a parameter: %v", err))
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(base+"parameter", value); err != nil {
		panic(fmt.Sprintf("op: schema of a parameter: %v", err))
	}
	return &validator{compiler.MustCompile(base + "parameter")}
}
