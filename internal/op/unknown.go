package op

import (
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// unknownMembers walks a value along all the schemas that apply to it, and collects the members that none of them describes. An object that no
// schema describes by members is free-form.
func unknownMembers(schemas []*jsonschema.Schema, n node, path string, unknown *[]string) {
	schemas = applying(schemas)
	for i, item := range n.items {
		unknownMembers(itemSchemas(schemas, i), item, path+"["+strconv.Itoa(i)+"]", unknown)
	}
	described := describesMembers(schemas)
	for _, m := range n.members {
		at := m.key
		if path != "" {
			at = path + "." + m.key
		}
		next, known := memberSchemas(schemas, m.key)
		if described && !known {
			*unknown = append(*unknown, at)
			continue
		}
		unknownMembers(next, m.value, at, unknown)
	}
}

// applying adds the schemas that references and combinations bring in.
func applying(schemas []*jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	seen := map[*jsonschema.Schema]bool{}
	var add func(s *jsonschema.Schema)
	add = func(s *jsonschema.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		all = append(all, s)
		add(s.Ref)
		for _, group := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, {s.If, s.Then, s.Else}} {
			for _, part := range group {
				add(part)
			}
		}
		for _, part := range s.DependentSchemas {
			add(part)
		}
	}
	for _, s := range schemas {
		add(s)
	}
	return all
}

func describesMembers(schemas []*jsonschema.Schema) bool {
	for _, s := range schemas {
		if s.Properties != nil || s.PatternProperties != nil {
			return true
		}
	}
	return false
}

func memberSchemas(schemas []*jsonschema.Schema, key string) (next []*jsonschema.Schema, known bool) {
	for _, s := range schemas {
		mentioned := false
		if property, ok := s.Properties[key]; ok {
			next, mentioned = append(next, property), true
		}
		for pattern, property := range s.PatternProperties {
			if pattern.MatchString(key) {
				next, mentioned = append(next, property), true
			}
		}
		switch open := s.AdditionalProperties.(type) {
		case bool:
			mentioned = mentioned || open
		case *jsonschema.Schema:
			if !mentioned {
				next, mentioned = append(next, open), true
			}
		}
		known = known || mentioned
	}
	return next, known
}

func itemSchemas(schemas []*jsonschema.Schema, i int) (next []*jsonschema.Schema) {
	for _, s := range schemas {
		if i < len(s.PrefixItems) {
			next = append(next, s.PrefixItems[i])
		} else if s.Items2020 != nil {
			next = append(next, s.Items2020)
		}
	}
	return next
}
