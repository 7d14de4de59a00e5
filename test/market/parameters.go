package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/market/model"
)

// runParameters tells what the engine works with: the values from the running code, their meaning from its comments.
func runParameters(_ *bench, r *result) error {
	inModel, err := parse("internal", "market", "model", "parameters.go")
	if err != nil {
		return err
	}
	t := table{Title: "Of the model of losses (`internal/market/model`)", Columns: []string{"parameter", "value", "meaning"}}
	meanings := fieldComments(inModel.syntax, "Parameters")
	for _, v := range settings(model.Usual()) {
		t.Rows = append(t.Rows, []cell{words("%s", v.name), words("%s", v.text()), words("%s", meanings[v.name])})
	}
	inPlan, err := parse("internal", "fleet", "plan", "cost.go")
	if err != nil {
		return err
	}
	costs := table{Title: "Of the expected cost (`internal/fleet/plan`)", Columns: t.Columns, Rows: inPlan.constants()}
	r.Tables = append(r.Tables, t, costs)
	return nil
}

// setting is one parameter of the model.
type setting struct {
	name  string
	value float64 // a time in hours
	isFor bool    // a time
}

func settings(p model.Parameters) (all []setting) {
	v := reflect.ValueOf(p)
	for n := range v.NumField() {
		s := setting{name: v.Type().Field(n).Name}
		if d, is := v.Field(n).Interface().(time.Duration); is {
			s.value, s.isFor = d.Hours(), true
		} else {
			s.value = v.Field(n).Float()
		}
		all = append(all, s)
	}
	return all
}

func (s setting) text() string {
	if s.isFor {
		return fmt.Sprintf("%g h", s.value)
	}
	return fmt.Sprintf("%g", s.value)
}

// in gives the parameters with this one changed.
func (s setting) in(p model.Parameters) model.Parameters {
	field := reflect.ValueOf(&p).Elem().FieldByName(s.name)
	if s.isFor {
		field.SetInt(int64(s.value * float64(time.Hour)))
	} else {
		field.SetFloat(s.value)
	}
	return p
}

// source code of one file, from the root of the repository.
type code struct {
	files  *token.FileSet
	syntax *ast.File
}

func parse(path ...string) (code, error) {
	c := code{files: token.NewFileSet()}
	var err error
	c.syntax, err = parser.ParseFile(c.files, filepath.Join(path...), nil, parser.ParseComments)
	if err != nil {
		err = fmt.Errorf("start this in the root of the repository: %w", err)
	}
	return c, err
}

// fieldComments are what stands behind the fields of a type.
func fieldComments(file *ast.File, name string) map[string]string {
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, is := n.(*ast.TypeSpec)
		if !is || spec.Name.Name != name {
			return true
		}
		if fields, is := spec.Type.(*ast.StructType); is {
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					found[name.Name] = oneLine(f.Comment)
				}
			}
		}
		return false
	})
	return found
}

// constants are those of a file that say what they mean.
func (c code) constants() (rows [][]cell) {
	for _, decl := range c.syntax.Decls {
		group, is := decl.(*ast.GenDecl)
		if !is || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			s := spec.(*ast.ValueSpec)
			meaning := oneLine(s.Comment)
			if meaning == "" {
				meaning = oneLine(s.Doc)
			}
			if meaning == "" || len(s.Values) != 1 {
				continue
			}
			var value bytes.Buffer
			if err := printer.Fprint(&value, c.files, s.Values[0]); err == nil {
				rows = append(rows, []cell{words("%s", s.Names[0].Name), words("`%s`", value.String()), words("%s", meaning)})
			}
		}
	}
	return rows
}

func oneLine(c *ast.CommentGroup) string {
	if c == nil {
		return ""
	}
	return strings.Join(strings.Fields(c.Text()), " ")
}
