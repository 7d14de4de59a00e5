package op

import (
	"context"
	"strings"
)

// Resource describes a collection and its items; Rows makes the standard operations of it.
type Resource struct {
	ID      string // "elastigroup.aws": its rows are elastigroup.aws.create, .list, .read, .update and .delete
	Noun    string // "group"
	Base    string // "/aws/ec2/group"
	Param   string // "groupId": items live at Base/{groupId}
	Service string // "elastigroup": needs are elastigroup:createGroup, :describeGroups, :describeGroup, :updateGroup and :deleteGroup
	Section string
	Kind    string
	// AccountOf is the Target's.
	AccountOf func(ctx context.Context, id string) (account string, err error)

	Create, List, Read, Update, Delete Standard
}

// Standard is one of the five operations; without Do it is not offered.
type Standard struct {
	N    int
	Body string // a Delete's is optional
	Do   Do
}

// Rows are the operations that the resource offers. Callers may still change them.
func (r Resource) Rows() []Row {
	item, target := r.Base+"/{"+r.Param+"}", Target{Noun: r.Noun, Param: r.Param, AccountOf: r.AccountOf}
	title, one := strings.ToUpper(r.Noun[:1])+r.Noun[1:], "a "+r.Noun
	if strings.ContainsAny(r.Noun[:1], "aeiou") {
		one = "an " + r.Noun
	}
	var rows []Row
	for _, row := range []Row{
		r.row(r.Create, Row{ID: "create", Route: "POST " + r.Base, Need: "create" + title, Title: "Create " + one, Mutates: true}),
		r.row(r.List, Row{ID: "list", Route: "GET " + r.Base, Need: "describe" + title + "s", Title: "List " + r.Noun + "s"}),
		r.row(r.Read, Row{ID: "read", Route: "GET " + item, Need: "describe" + title, Title: "Read " + one, Target: target}),
		r.row(r.Update, Row{ID: "update", Route: "PUT " + item, Need: "update" + title, Title: "Update " + one, Target: target, Mutates: true}),
		r.row(r.Delete, Row{ID: "delete", Route: "DELETE " + item, Need: "delete" + title, Title: "Delete " + one, Target: target, Mutates: true, BodyOptional: true}),
	} {
		if row.Do.run != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

func (r Resource) row(s Standard, row Row) Row {
	row.ID, row.Need = r.ID+"."+row.ID, r.Service+":"+row.Need
	row.N, row.Body, row.Do = s.N, s.Body, s.Do
	row.Section, row.Kind = r.Section, r.Kind
	return row
}
