package dialecttest

import "testing"

func TestDifferencesAreFoundWhereTheyAre(t *testing.T) {
	sample := map[string]any{"id": "1", "list": []any{"a", map[string]any{"name": "x"}}}
	for what, c := range map[string]struct {
		got  any
		free []string
		want int
	}{
		"the same":                {map[string]any{"id": "1", "list": []any{"a", map[string]any{"name": "x"}}}, nil, 0},
		"another value":           {map[string]any{"id": "2", "list": []any{"a", map[string]any{"name": "x"}}}, nil, 1},
		"a free value":            {map[string]any{"id": "2", "list": []any{"a", map[string]any{"name": "y"}}}, []string{"id", "name"}, 0},
		"a free value of no type": {map[string]any{"id": nil, "list": []any{"a", map[string]any{"name": "x"}}}, []string{"id"}, 0},
		"another type":            {map[string]any{"id": 2.0, "list": []any{"a", map[string]any{"name": "x"}}}, []string{"id"}, 1},
		"a missing member":        {map[string]any{"list": []any{"a", map[string]any{"name": "x"}}}, []string{"id"}, 1},
		"one more member":         {map[string]any{"id": "1", "list": []any{"a", map[string]any{"name": "x", "b": 1.0}}}, nil, 1},
		"a shorter list":          {map[string]any{"id": "1", "list": []any{"a"}}, nil, 1},
		"no list":                 {map[string]any{"id": "1", "list": nil}, nil, 1},
		"no object":               {"text", nil, 1},
	} {
		if got := differences("", sample, c.got, c.free); len(got) != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
