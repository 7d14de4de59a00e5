// Package mapsor is the wire language of the Mapsor API: users with a role and one token, which every request carries in its query.
//
// It owns wire spellings alone; a Mapsor user is one of our programmatic users, and what a role may do is identity's. Start reading at Dialect and address.go.
package mapsor

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
)

// Deps are the rooms behind the operations.
type Deps struct {
	Identity *identity.Identity
}

//go:embed schema/*.json
var schemas embed.FS

// Dialect is the Mapsor API as op mounts it, its rows in the order of the facts table.
func Dialect(d Deps) op.Dialect {
	folder, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // the path is a constant
	}
	rows := d.rows()
	names := operations(rows)
	prefixes := []string{stage}
	for name := range names {
		prefixes = append(prefixes, "/"+name)
	}
	return op.Dialect{
		Name: "mapsor", Title: "Mapsor API", Rows: rows, Prefixes: prefixes, Schemas: folder, Challenge: "Token",
		Carrier: op.Carrier{In: "query", Name: "token"}, Credential: credential, Rewrite: func(r *http.Request) *http.Request { return rewrite(r, names) },
		Answer: func(_ *op.Call, out any) any { return out }, Refuse: refuse, Status: statuses(), Exception: exception,
	}
}

// rows name no Target: the user stands in the body, by name. The function asks for the right on that one (see find), and so Filters lets whoever has it on any come as far.
func (d Deps) rows() []op.Row {
	rows := []op.Row{
		{N: 1, ID: "users.add", Route: "POST /add-user", Need: "setup:createUser", Title: "Create a user", Do: op.Func(d.add)},
		{N: 2, ID: "users.regenerateToken", Route: "POST /regenerate-token", Need: "setup:createToken", Title: "Replace the token of a user", Filters: true, Do: op.Func(d.regenerate)},
		{N: 3, ID: "users.enable", Route: "POST /enable-user", Need: "setup:updateUser", Title: "Enable a user", Filters: true, Do: op.Func(d.enable)},
		{N: 4, ID: "users.disable", Route: "POST /disable-user", Need: "setup:updateUser", Title: "Disable a user", Filters: true, Do: op.Func(d.disable)},
	}
	for i := range rows {
		rows[i].Section, rows[i].Body, rows[i].Status, rows[i].NoAccount, rows[i].Mutates = "Users", "user", http.StatusCreated, true, true
	}
	return rows
}

// operations are the first segments of the rows' paths: this API stands at the root, beside everybody else's.
func operations(rows []op.Row) map[string]bool {
	names := map[string]bool{}
	for _, row := range rows {
		_, path, _ := strings.Cut(row.Route, " /")
		name, _, _ := strings.Cut(path, "/")
		names[name] = true
	}
	return names
}

// credential is the token of the query, and nothing else.
func credential(r *http.Request) (op.Credential, error) {
	token := r.URL.Query().Get("token")
	if token == "" {
		return op.Credential{}, fault.Of(fault.Unauthenticated, "token", "Send a token in the address: ?token=….")
	}
	return op.Credential{Token: token}, nil
}
