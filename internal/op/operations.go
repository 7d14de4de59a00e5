package op

import (
	"net/http"
	"strings"
)

// Operation is a row as it is listed for people and programs.
type Operation struct {
	Dialect string `json:"dialect"`
	ID      string `json:"id"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Need    string `json:"need"`
	N       int    `json:"n,omitempty"` // row of the dialect's facts table; 0 = in none
	Title   string `json:"title"`
	Section string `json:"section,omitempty"`
	Mutates bool   `json:"mutates"`
	Open    bool   `json:"open,omitempty"`    // asks for no credential
	Account string `json:"account,omitempty"` // name of the query parameter that names the account; "" = it has none
	Status  int    `json:"status"`            // of a success
	// NoAccount says that the operation is above accounts.
	NoAccount bool `json:"noAccount,omitempty"`
}

// Operations lists the rows of dialects, in their order; it needs no server.
func Operations(dialects ...Dialect) []Operation {
	var list []Operation
	for _, d := range dialects {
		for _, row := range d.Rows {
			method, path, _ := strings.Cut(row.Route, " ")
			list = append(list, Operation{
				Dialect: d.Name, ID: d.Name + "." + row.ID, Method: method, Path: path, Need: row.Need,
				N: row.N, Title: row.Title, Section: sectionOf(row, path), Mutates: row.Mutates, Open: row.Open, NoAccount: row.NoAccount, Status: orElse(row.Status, http.StatusOK),
			})
			if !row.NoAccount && !row.Target.IsAccount {
				list[len(list)-1].Account = d.AccountFrom
			}
		}
	}
	return list
}

func sectionOf(row Row, path string) string {
	if row.Section != "" {
		return row.Section
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// Operations lists what the server serves.
func (s *Server) Operations() []Operation { return s.operations }
