package op

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neap-cloud/neap/internal/fault"
)

func TestMountRefusesRowsThatCannotBeRight(t *testing.T) {
	for words, change := range map[string]func(*Dialect){
		"says no Need":          func(d *Dialect) { d.Rows[2].Need = "" },
		"has nothing to do":     func(d *Dialect) { d.Rows[2].Do = Do{} },
		"needs an ID and":       func(d *Dialect) { d.Rows[2].Route = "/zoo/animal" },
		"needs an ID":           func(d *Dialect) { d.Rows[2].ID = "" },
		`"zoo.animal.list"`:     func(d *Dialect) { d.Rows[2].ID = "animal.list" },
		`"GET /zoo/animal/{}"`:  func(d *Dialect) { d.Rows[1].Route = "GET /zoo/animal/{other}" },
		"no {animalId} in":      func(d *Dialect) { d.Rows[2].Route = "GET /zoo/beast/{id}" },
		"binds {animalId}":      func(d *Dialect) { d.Rows[2].Route, d.Rows[2].Target = "GET /zoo/beast/{id}", Target{} },
		`the fault kind "limit`: func(d *Dialect) { delete(d.Status, fault.Limit) },
	} {
		mustPanic(t, words, func() {
			d := (&zoo{}).dialect()
			change(&d)
			_, err := Mount(Config{Dialects: []Dialect{d}})
			t.Errorf("%s: mounted with %v", words, err)
		})
	}
}

func TestMountReportsBrokenSchemas(t *testing.T) {
	d := (&zoo{}).dialect()
	d.Schemas = fstest.MapFS{"animal.json": {Data: []byte(`{"type": 3}`)}}
	if _, err := Mount(Config{Dialects: []Dialect{d}}); err == nil || !strings.Contains(err.Error(), "animal") {
		t.Errorf("a broken file gives %v", err)
	}
	d.Schemas = fstest.MapFS{}
	if _, err := Mount(Config{Dialects: []Dialect{d}}); err == nil || !strings.Contains(err.Error(), "dialect zoo") {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestOperationsAreListedInOrder(t *testing.T) {
	h := open(t)
	got := h.Operations()
	want := Operation{Dialect: "zoo", ID: "zoo.animal.create", Method: "POST", Path: "/zoo/animal", Need: "zoo:createAnimal", N: 1, Title: "Create an animal", Section: "zoo", Mutates: true, Account: "accountId", Status: 200}
	if len(got) != 9 || got[0] != want || got[8].ID != "shop.item.list" {
		t.Errorf("got %+v", got)
	}
	for _, o := range got {
		if o.NoAccount != (o.ID == "zoo.ticket.list") {
			t.Errorf("%s is above accounts: %v", o.ID, o.NoAccount)
		}
	}
	if !slices.Equal(got, Operations(h.zoo.dialect(), shop())) {
		t.Error("the list without a server is another one")
	}
}

func TestAResourceGivesTheStandardRows(t *testing.T) {
	z := &zoo{}
	rows := Resource{
		ID: "animal", Noun: "animal", Base: "/zoo/animal", Param: "animalId", Service: "zoo", Section: "Animals", Kind: "zoo:animal", AccountOf: z.accountOf,
		Create: Standard{N: 1, Body: "animal", Do: Func(z.create)},
		List:   Standard{N: 2, Do: says("list")},
		Read:   Standard{N: 3, Do: Func(z.read)},
		Delete: Standard{N: 5, Body: "farewell", Do: Func(z.free)},
	}.Rows()
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join([]string{row.ID, row.Route, row.Need, row.Title, row.Body, row.Target.Param}, "|"))
		if row.Section != "Animals" || row.Kind != "zoo:animal" || row.Mutates != strings.Contains("animal.create animal.delete", row.ID) {
			t.Errorf("row %+v", row)
		}
	}
	want := []string{
		"animal.create|POST /zoo/animal|zoo:createAnimal|Create an animal|animal|",
		"animal.list|GET /zoo/animal|zoo:describeAnimals|List animals||",
		"animal.read|GET /zoo/animal/{animalId}|zoo:describeAnimal|Read an animal||animalId",
		"animal.delete|DELETE /zoo/animal/{animalId}|zoo:deleteAnimal|Delete an animal|farewell|animalId",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %s", strings.Join(lines, "\n"))
	}
}
