package aws

import (
	"encoding/json"
	"slices"
)

// Policy allows the actions of Neap's own tables, and no more.
func Policy() string {
	var actions []string
	for _, p := range slices.Concat(permissions, resourcePermissions) {
		actions = append(actions, p.action)
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": actions, "Resource": "*"}}})
	if err != nil {
		panic(err)
	}
	return string(document)
}
