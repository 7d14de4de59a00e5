package internal_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A package variable may hold an error, an embedded file, or a table that is made once. It is never written to, and its type has no state of its own.

// stateful are packages whose values change as they are used; a variable made by them is state, whatever it is called.
func stateful() []string {
	return []string{"atomic", "rand", "prometheus", "http", "slog", "log", "sql", "os", "bytes", "bufio"}
}

func mutableVariables(t *tree) (findings []string) {
	dirs, packages := t.packages()
	for _, dir := range dirs {
		names := map[string]bool{}
		for _, s := range packages[dir] {
			for _, v := range variables(s) {
				if reason := v.isState(s); reason != "" {
					findings = append(findings, fmt.Sprintf("%s:%d: %s %s: hold it in a struct that app makes", s.path, t.line(v.name), v.name.Name, reason))
				}
				names[v.name.Name] = true
			}
		}
		for _, s := range packages[dir] {
			for _, written := range writes(s.syntax) {
				if names[written.Name] && isPackageLevel(s.syntax, written) {
					findings = append(findings, fmt.Sprintf("%s:%d: package variable %s is written to: hold it in a struct that app makes", s.path, t.line(written), written.Name))
				}
			}
		}
	}
	return findings
}

// variable is one package variable with what it is made of.
type variable struct {
	name     *ast.Ident
	kind     ast.Expr // its declared type, or nil
	value    ast.Expr // nil when it starts as zero
	embedded bool     // filled by the compiler from a file
}

func variables(s *source) (found []variable) {
	for _, declaration := range s.syntax.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			values := spec.(*ast.ValueSpec)
			embedded := hasEmbed(group.Doc) || hasEmbed(values.Doc)
			for i, name := range values.Names {
				if name.Name == "_" {
					continue
				}
				v := variable{name: name, kind: values.Type, embedded: embedded}
				if len(values.Values) > 0 {
					v.value = values.Values[min(i, len(values.Values)-1)]
				}
				found = append(found, v)
			}
		}
	}
	return found
}

func hasEmbed(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// isState says why a variable could change although nobody assigns to it, "" when it cannot.
func (v variable) isState(s *source) string {
	if v.embedded {
		return ""
	}
	if v.value == nil {
		return "has no value, so somebody must set it later"
	}
	switch value := ast.Unparen(v.value).(type) {
	case *ast.UnaryExpr:
		// A pointer invites writing through it; errors are the exception, they are compared by address.
		if composite, ok := value.X.(*ast.CompositeLit); ok && value.Op == token.AND && !strings.HasSuffix(spelling(composite.Type), "Error") {
			return "points to something that can be written to"
		}
	case *ast.CompositeLit:
		if isStateful(s, spelling(value.Type), "sync") {
			return "has state of its own"
		}
	case *ast.CallExpr:
		made := spelling(value.Fun)
		if made == "make" || made == "new" {
			return "starts empty, so somebody must fill it later"
		}
		// sync is left out: what its functions make, such as OnceValue, holds one value for ever once it is asked.
		if isStateful(s, made) {
			return "has state of its own"
		}
	}
	return ""
}

// isStateful reports whether a spelling such as "atomic.Int64" names something of a stateful package, or of one of the others named.
func isStateful(s *source, spelled string, others ...string) bool {
	from, _, qualified := strings.Cut(spelled, ".")
	return qualified && imports(s.syntax, from) && slices.Contains(append(others, stateful()...), from)
}

// spelling is a type or function as it is written: "sync.Mutex"; type arguments are left out.
func spelling(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return spelling(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return spelling(e.X)
	case *ast.IndexListExpr:
		return spelling(e.X)
	}
	return ""
}

// imports reports whether name stands for an imported package in the file.
func imports(file *ast.File, name string) bool {
	return slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return importName(spec) == name })
}

func importName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	imported, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return ""
	}
	last := path.Base(imported)
	if strings.HasPrefix(last, "v") && strings.Trim(last[1:], "0123456789") == "" {
		last = path.Base(path.Dir(imported))
	}
	return last
}

// writes are the identifiers at the root of everything that the file changes: assigned, incremented, ranged into, deleted from, or pointed to.
func writes(file *ast.File) (found []*ast.Ident) {
	add := func(expressions ...ast.Expr) {
		for _, e := range expressions {
			if name := rootOf(e); name != nil {
				found = append(found, name)
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			if node.Tok != token.DEFINE {
				add(node.Lhs...)
			}
		case *ast.IncDecStmt:
			add(node.X)
		case *ast.RangeStmt:
			if node.Tok == token.ASSIGN {
				add(node.Key, node.Value)
			}
		case *ast.UnaryExpr:
			if node.Op == token.AND {
				add(node.X)
			}
		case *ast.CallExpr:
			if name, ok := node.Fun.(*ast.Ident); ok && slices.Contains([]string{"delete", "clear", "copy"}, name.Name) && len(node.Args) > 0 {
				add(node.Args[0])
			}
		}
		return true
	})
	return found
}

// rootOf follows x.f, x[i] and *x down to x.
func rootOf(expression ast.Expr) *ast.Ident {
	for {
		switch e := expression.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.SliceExpr:
			expression = e.X
		case *ast.StarExpr:
			expression = e.X
		case *ast.ParenExpr:
			expression = e.X
		default:
			return nil
		}
	}
}

// isPackageLevel tells a package variable from a local of the same name. The parser resolves names within a file; what it leaves open is another file's.
func isPackageLevel(file *ast.File, name *ast.Ident) bool {
	return name.Obj == nil || file.Scope.Lookup(name.Name) == name.Obj
}

// foreignAssignments finds `package.Variable = …`: settings of a library, or of another room, that would hold for everybody.
func foreignAssignments(t *tree) (findings []string) {
	for _, s := range t.written() {
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			assignment, ok := node.(*ast.AssignStmt)
			if !ok || assignment.Tok == token.DEFINE {
				return true
			}
			for _, left := range assignment.Lhs {
				selector, ok := left.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				x, ok := selector.X.(*ast.Ident)
				if ok && x.Obj == nil && imports(s.syntax, x.Name) {
					findings = append(findings, fmt.Sprintf("%s:%d: %s.%s belongs to another package and holds for everybody: configure a value of your own", s.path, t.line(left), x.Name, selector.Sel.Name))
				}
			}
			return true
		})
	}
	return findings
}
