package internal_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// The limits of the house. Targets are lower; beyond a limit a file or function is split.
const (
	longestFile       = 800
	longestFunction   = 120
	largestPackage    = 4000
	widestInterface   = 12
	complexFunction   = 15 // more branches than this is complex
	complexPerMille   = 20
	documentedPercent = 90
	smallSample       = 200 // functions; below this a share says little
)

// findings are what a rule objects to, one line each: "file:line: what, and what to do".
type rule func(t *tree) (findings []string)

func check(t *testing.T, r rule) {
	t.Helper()
	for _, finding := range r(repository(t)) {
		t.Error(finding)
	}
}

func TestFilesAndPackagesStayShort(t *testing.T)          { check(t, tooLong) }
func TestFunctionsStayShort(t *testing.T)                 { check(t, longFunctions) }
func TestFewFunctionsAreComplex(t *testing.T)             { check(t, tooComplex) }
func TestInterfacesStayNarrow(t *testing.T)               { check(t, wideInterfaces) }
func TestEveryPackageSaysWhatItOwns(t *testing.T)         { check(t, silentPackages) }
func TestPackagesAreNouns(t *testing.T)                   { check(t, vagueNames) }
func TestNothingRunsBeforeMain(t *testing.T)              { check(t, initFunctions) }
func TestExportedIdentifiersAreDocumented(t *testing.T)   { check(t, undocumented) }
func TestTestsDoNotSleep(t *testing.T)                    { check(t, sleepingTests) }
func TestSkippedTestsSayWhy(t *testing.T)                 { check(t, silentSkips) }
func TestPackageVariablesNeverChange(t *testing.T)        { check(t, mutableVariables) }
func TestOtherPackagesVariablesAreLeftAlone(t *testing.T) { check(t, foreignAssignments) }

func tooLong(t *tree) (findings []string) {
	dirs, packages := t.packages()
	for _, dir := range dirs {
		total := 0
		for _, s := range packages[dir] {
			total += s.lines
			if s.lines > longestFile {
				findings = append(findings, fmt.Sprintf("%s has %d lines, more than %d: split it by noun or verb", s.path, s.lines, longestFile))
			}
		}
		if total > largestPackage {
			findings = append(findings, fmt.Sprintf("%s has %d lines, more than %d: find the second noun in it", dir, total, largestPackage))
		}
	}
	return findings
}

// functions visits every declared function of the written files.
func (t *tree) functions(visit func(s *source, f *ast.FuncDecl)) {
	for _, s := range t.written() {
		for _, declaration := range s.syntax.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Body != nil {
				visit(s, f)
			}
		}
	}
}

func longFunctions(t *tree) (findings []string) {
	t.functions(func(s *source, f *ast.FuncDecl) {
		if length := t.length(f); length > longestFunction {
			findings = append(findings, fmt.Sprintf("%s:%d: %s has %d lines, more than %d: split it", s.path, t.line(f), f.Name.Name, length, longestFunction))
		}
	})
	return findings
}

func tooComplex(t *tree) (findings []string) {
	all := 0
	var complex []string
	t.functions(func(s *source, f *ast.FuncDecl) {
		all++
		if n := branches(f); n > complexFunction {
			complex = append(complex, fmt.Sprintf("%s:%d: %s (%d)", s.path, t.line(f), f.Name.Name, n))
		}
	})
	if all >= smallSample && 1000*len(complex) > complexPerMille*all {
		findings = append(findings, fmt.Sprintf("%d of %d functions have more than %d branches, more than %d in a thousand: simplify some of\n\t%s",
			len(complex), all, complexFunction, complexPerMille, strings.Join(complex, "\n\t")))
	}
	return findings
}

// branches is the cyclomatic complexity: one, and one more for every place where the path may fork.
func branches(f *ast.FuncDecl) int {
	n := 1
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

func wideInterfaces(t *tree) (findings []string) {
	for _, s := range t.written() {
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if i, ok := node.(*ast.InterfaceType); ok && i.Methods.NumFields() > widestInterface {
				findings = append(findings, fmt.Sprintf("%s:%d: an interface of %d methods, more than %d: make the rest optional", s.path, t.line(i), i.Methods.NumFields(), widestInterface))
			}
			return true
		})
	}
	return findings
}

func silentPackages(t *tree) (findings []string) {
	dirs, packages := t.packages()
	for _, dir := range dirs {
		comments := 0
		for _, s := range packages[dir] {
			if s.syntax.Doc != nil && strings.TrimSpace(s.syntax.Doc.Text()) != "" {
				comments++
			}
		}
		switch {
		case comments == 0:
			findings = append(findings, dir+" has no package comment: say what it owns, what it must not know, and where to start reading")
		case comments > 1:
			findings = append(findings, fmt.Sprintf("%s has %d package comments: keep one, in doc.go or the main file", dir, comments))
		}
	}
	return findings
}

func vagueNames(t *tree) (findings []string) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "base", "manager", "types", "misc", "shared", "lib"}
	for _, s := range t.all {
		file := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		for _, name := range []string{s.syntax.Name.Name, path.Base(s.dir()), file} {
			if slices.Contains(vague, name) {
				findings = append(findings, fmt.Sprintf("%s: %q names no thing: put each piece beside its user, or find the noun", s.path, name))
			}
		}
	}
	return findings
}

func initFunctions(t *tree) (findings []string) {
	for _, s := range t.all {
		for _, declaration := range s.syntax.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				findings = append(findings, fmt.Sprintf("%s:%d: init runs unasked: let app call what has to happen", s.path, t.line(f)))
			}
		}
	}
	return findings
}

func undocumented(t *tree) (findings []string) {
	all := 0
	var silent []string
	for _, s := range t.written() {
		if s.syntax.Name.Name == "main" {
			continue
		}
		types := documentedTypes(s)
		for _, declaration := range s.syntax.Decls {
			for _, e := range exported(declaration, types) {
				all++
				if !e.documented {
					silent = append(silent, fmt.Sprintf("%s:%d: %s", s.path, t.line(e.name), e.name.Name))
				}
			}
		}
	}
	if 100*(all-len(silent)) < documentedPercent*all {
		findings = append(findings, fmt.Sprintf("%d of %d exported identifiers have no comment; at least %d %% are to have one:\n\t%s",
			len(silent), all, documentedPercent, strings.Join(silent, "\n\t")))
	}
	return findings
}

type identifier struct {
	name       *ast.Ident
	documented bool
}

// exported are the identifiers that a declaration shows to other packages. A comment on a group stands for all of it, a comment on a type
// for the constants of that type, and a method of a contract that every reader knows needs none.
func exported(declaration ast.Decl, types map[string]bool) (found []identifier) {
	known := []string{"Error", "Unwrap", "String", "Is", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "ServeHTTP", "Len", "Less", "Swap"}
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		isMethod := d.Recv != nil
		if d.Name.IsExported() && (!isMethod || receiver(d).IsExported()) {
			found = append(found, identifier{d.Name, d.Doc != nil || isMethod && slices.Contains(known, d.Name.Name)})
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			var names []*ast.Ident
			documented := d.Doc != nil
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names, documented = []*ast.Ident{spec.Name}, documented || spec.Doc != nil || spec.Comment != nil
			case *ast.ValueSpec:
				ofType := spec.Type != nil && types[spelling(spec.Type)]
				names, documented = spec.Names, documented || spec.Doc != nil || spec.Comment != nil || ofType
			}
			for _, name := range names {
				if name.IsExported() {
					found = append(found, identifier{name, documented})
				}
			}
		}
	}
	return found
}

// documentedTypes are the types of the file that have a comment.
func documentedTypes(s *source) map[string]bool {
	types := map[string]bool{}
	for _, declaration := range s.syntax.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			if of, ok := spec.(*ast.TypeSpec); ok && (group.Doc != nil || of.Doc != nil || of.Comment != nil) {
				types[of.Name.Name] = true
			}
		}
	}
	return types
}

// receiver is the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) *ast.Ident {
	expression := f.Recv.List[0].Type
	for {
		switch e := expression.(type) {
		case *ast.StarExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.IndexListExpr:
			expression = e.X
		case *ast.Ident:
			return e
		default:
			return ast.NewIdent("_")
		}
	}
}

// sleepingTests leaves the bubbles of testing/synctest alone: time inside them is not real.
func sleepingTests(t *tree) (findings []string) {
	for _, s := range t.all {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if isCallOf(call, "synctest", "Test") {
				return false
			}
			if isCallOf(call, "time", "Sleep") {
				findings = append(findings, fmt.Sprintf("%s:%d: wait for the event with a deadline, or step a manual clock", s.path, t.line(call)))
			}
			return true
		})
	}
	return findings
}

func isCallOf(call *ast.CallExpr, from, name string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == from
}

func silentSkips(t *tree) (findings []string) {
	for _, s := range t.all {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			selector, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (selector.Sel.Name == "SkipNow" || selector.Sel.Name == "Skip") && len(call.Args) == 0 {
				findings = append(findings, fmt.Sprintf("%s:%d: say why the test is skipped", s.path, t.line(call)))
			}
			return true
		})
	}
	return findings
}
