// Package document shows JSON to people: as YAML, and as members one a line.
//
// It owns how JSON becomes either, letter by letter. It must not know what the JSON means. Start reading at YAML.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/neap-cloud/neap/internal/cli/table"
)

// YAML shows JSON as YAML, members in the order in which they were sent.
func YAML(w io.Writer, raw json.RawMessage) error {
	node, err := nodeOf(raw)
	if err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(node); err != nil {
		return err
	}
	return encoder.Close()
}

// Members shows a JSON object to people: one line a member, those inside it under their path.
func Members(w io.Writer, raw json.RawMessage) error {
	node, err := nodeOf(raw)
	if err != nil {
		return err
	}
	return table.WritePairs(w, members("", node))
}

func members(path string, node *yaml.Node) []table.Pair {
	var pairs []table.Pair
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if path != "" {
				name = path + "." + name
			}
			pairs = append(pairs, members(name, node.Content[i+1])...)
		}
	case yaml.SequenceNode:
		var plain []string
		for i, item := range node.Content {
			if item.Kind == yaml.ScalarNode {
				plain = append(plain, item.Value)
				continue
			}
			pairs = append(pairs, members(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
		if len(plain) > 0 {
			pairs = append(pairs, table.Pair{path, strings.Join(plain, ", ")})
		}
	default:
		if node.Tag != "!!null" {
			pairs = append(pairs, table.Pair{path, node.Value})
		}
	}
	return pairs
}

// nodeOf reads one JSON value. YAML's own decoder would do for most of JSON, but not for its escapes beyond the basic plane.
func nodeOf(raw json.RawMessage) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return nextNode(decoder)
}

func nextNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch value := token.(type) {
	case json.Delim:
		kind, tag := yaml.MappingNode, "!!map"
		if value == '[' {
			kind, tag = yaml.SequenceNode, "!!seq"
		}
		node := &yaml.Node{Kind: kind, Tag: tag}
		for decoder.More() {
			// A member's name is a token like any other, so that an object is its names and values in turn.
			child, err := nextNode(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err := decoder.Token()
		return node, err
	case string:
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		if value == "<<" {
			node.Style = yaml.DoubleQuotedStyle // bare, as a name, it would merge the object into its parent
		}
		return node, nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(value.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(value)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
}

// Difference lists the members in which two JSON objects differ: "-" what stood before, "+" what stands now.
func Difference(before, now json.RawMessage) ([]string, error) {
	old, err := nodeOf(before)
	if err != nil {
		return nil, err
	}
	fresh, err := nodeOf(now)
	if err != nil {
		return nil, err
	}
	was, is := members("", old), members("", fresh)
	then, today := map[string]string{}, map[string]string{}
	for _, p := range was {
		then[p[0]] = p[1]
	}
	for _, p := range is {
		today[p[0]] = p[1]
	}
	var lines []string
	for _, p := range was {
		value, kept := today[p[0]]
		if value == p[1] && kept {
			continue
		}
		lines = append(lines, "- "+p[0]+": "+table.OneLine(p[1]))
		if kept {
			lines = append(lines, "+ "+p[0]+": "+table.OneLine(value))
		}
	}
	for _, p := range is {
		if _, known := then[p[0]]; !known {
			lines = append(lines, "+ "+p[0]+": "+table.OneLine(p[1]))
		}
	}
	if len(lines) == 0 {
		lines = append(lines, "only the spelling differs, not a single value")
	}
	return lines, nil
}
