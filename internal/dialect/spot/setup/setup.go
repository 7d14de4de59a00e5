// Package setup is the Spot API's organisations, users, user groups, policies, accounts, cloud credentials and audit: who may do what, and where.
//
// It owns the wire form alone; the rules are identity's. It must not know stores or clouds. Start reading at Rows.
package setup

import (
	"embed"
	"encoding/json"
	"slices"

	"github.com/neap-cloud/neap/internal/dialect/spot"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms behind the operations.
type Deps struct {
	Identity *identity.Identity
	Journal  *journal.Journal
	// Operations lists every operation that the server answers; it is asked after all dialects are mounted.
	Operations func() []op.Operation
}

type dialect struct{ Deps }

//go:embed schema/*.json
var schemas embed.FS

// Product is all that this package brings to the dialect.
func Product(deps Deps) spot.Product {
	return spot.Product{Rows: Rows(deps), Schemas: spot.Schemas(schemas)}
}

// Rows are the operations, section by section.
func Rows(deps Deps) []op.Row {
	d := dialect{deps}
	sections := []struct {
		title string
		above bool // accounts
		rows  []op.Row
	}{
		{"Organizations", true, slices.Concat(d.userRows(), d.groupRows(), d.organisationRows())},
		{"Accounts", true, slices.Concat(d.policyRows(), d.mappingRows())},
		{"Accounts", false, slices.Concat(d.accountRows(), d.permissionRows(), d.credentialRows())},
		{"Audit Service", true, d.auditRows()},
	}
	var all []op.Row
	for _, section := range sections {
		for _, row := range section.rows {
			row.Section = section.title
			row.NoAccount = row.NoAccount || section.above
			all = append(all, row)
		}
	}
	return all
}

// read decodes a body that its schema has accepted.
func read[T any](body op.Document) (in T, err error) {
	if len(body) == 0 {
		return in, nil
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fault.Of(fault.Invalid, "body", "The body does not have the form that the description of the API gives it.").With(err)
	}
	return in, nil
}

// texts is a list that some clients write as a single text.
type texts []string

// UnmarshalJSON reads either.
func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err != nil {
		return json.Unmarshal(text, (*[]string)(t))
	}
	if *t = nil; one != "" {
		*t = texts{one}
	}
	return nil
}

// list is what an empty list of ids or names is written as: [] instead of null.
func list(of []string) []string {
	if of == nil {
		return []string{}
	}
	return of
}
