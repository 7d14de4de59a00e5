package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func literal(values []string) []string {
	quoted := make([]string, len(values))
	for n, value := range values {
		quoted[n] = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(value)
	}
	return quoted
}

func tokenOf(token string) string {
	isLong := len(token) > 64 || strings.ContainsFunc(token, func(c rune) bool { return c < '!' || c > '~' })
	if !isLong {
		return token
	}
	sum := sha256.Sum256([]byte(token))
	return "neap-" + hex.EncodeToString(sum[:24])
}

func tagged(tags map[string]string, kinds ...types.ResourceType) []types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	list := tagList(tags)
	var all []types.TagSpecification
	for _, kind := range kinds {
		all = append(all, types.TagSpecification{ResourceType: kind, Tags: list})
	}
	return all
}

func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: &key, Value: awssdk.String(tags[key])})
	}
	return list
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
