package plan

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestDifferencesNameEveryValueThatChanged(t *testing.T) {
	now := Intent{Drain: time.Minute, Choice: Choice{Zones: []string{"b"}}}
	before, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	if same := Differences(before, now); len(same) != 0 {
		t.Errorf("nothing changed, but: %v", same)
	}
	var old map[string]any
	if err := json.Unmarshal(before, &old); err != nil {
		t.Fatal(err)
	}
	delete(old, "Drain")
	old["Gone"] = map[string]any{"Deep": 1}
	old["Choice"].(map[string]any)["Zones"] = []string{"a"}
	if before, err = json.Marshal(old); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, c := range Differences(before, now) {
		text += fmt.Sprintf("%s %s>%s ", c.Path, c.Before, c.After)
	}
	if want := `Choice.Zones ["a"]>["b"] Drain >60000000000 Gone.Deep 1> `; text != want {
		t.Errorf("%q", text)
	}
}
