package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// writeYAML shows JSON as YAML, members in the order in which they were sent.
func writeYAML(w io.Writer, raw json.RawMessage) error {
	node, err := decodeNode(raw)
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

// writeMembers shows a JSON object to people: one line a member, those inside it under their path.
func writeMembers(w io.Writer, raw json.RawMessage) error {
	node, err := decodeNode(raw)
	if err != nil {
		return err
	}
	return writePairs(w, members("", node))
}

func members(path string, node *yaml.Node) []pair {
	var pairs []pair
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
			pairs = append(pairs, pair{path, strings.Join(plain, ", ")})
		}
	default:
		if node.Tag != "!!null" {
			pairs = append(pairs, pair{path, node.Value})
		}
	}
	return pairs
}

// decodeNode reads one JSON value. YAML's own decoder would do for most of JSON, but not for its escapes beyond the basic plane.
func decodeNode(raw json.RawMessage) (*yaml.Node, error) {
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
