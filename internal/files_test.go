package internal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// trace is something that a file must not say, because it would only be true on one machine or for one company.
type trace struct {
	what    string
	pattern *regexp.Regexp
}

func traces() []trace {
	hosts := []string{
		`proxy\.golang\.org`, `sum\.golang\.org`, `goproxy\.[a-z]+`, `registry\.npmjs\.org`, `registry\.yarnpkg\.com`, `pypi\.org`, `files\.pythonhosted\.org`,
		`crates\.io`, `rubygems\.org`, `repo1?\.maven\.(?:apache\.)?org`, `(?:deb|security)\.debian\.org`, `hub\.docker\.com`,
		`goproxy=\S*http`, `--index-url`, `npm_config_registry`,
	}
	return []trace{
		{"names a package registry", regexp.MustCompile(strings.Join(hosts, "|"))},
		{"names a folder of one machine", regexp.MustCompile(`(?:^|[\s"'=(,:\x60])/(?:work|root|users|home/[a-z]+/(?:src|go|git))/`)},
		{"names a temporary file directly", regexp.MustCompile(`(?:^|[\s"'=(,\x60])/tmp/[a-z0-9_]`)},
	}
}

// findTraces looks through one file, in lower case.
func findTraces(name string, content []byte, all []trace) (findings []string) {
	for i, line := range bytes.Split(bytes.ToLower(content), []byte("\n")) {
		// Every trace has one of these; looking for them first is much faster.
		if !mentions(line, "/tmp/", "/work/", "/root/", "/users/", "/home/", ".org", ".io", ".com", "goproxy", "index-url", "npm_") {
			continue
		}
		for _, t := range all {
			if match := t.pattern.Find(line); match != nil {
				findings = append(findings, fmt.Sprintf("%s:%d %s: %q", name, i+1, t.what, match))
			}
		}
	}
	return findings
}

func mentions(line []byte, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(line, []byte(word)) })
}

func TestNoFileKnowsOneMachineOrRegistry(t *testing.T) {
	all := traces()
	err := walk("..", func(name string) error {
		if name == "internal/files_test.go" || strings.Contains(name, "/testdata/fuzz/") {
			return nil
		}
		content, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return err
		}
		if !utf8.Valid(content) {
			return nil
		}
		for _, finding := range findTraces(name, content, all) {
			t.Error(finding)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTracesAreRecognised(t *testing.T) {
	for line, wrong := range map[string]bool{
		`data := "/tmp/neap-test"`:            true,
		`dir=$(mktemp -d)`:                    false,
		`COPY . /root/src`:                    true,
		`"url": "/aws/ec2/group/ID/root/x"`:   false,
		`GOPROXY=https://mirror.example.org`:  true,
		`pip install --index-url x`:           true,
		`see https://registry.npmjs.org/x`:    true,
		`go get github.com/spf13/cobra`:       false,
		`#!/bin/bash` + "\n" + `cd /work/app`: true,
	} {
		if found := findTraces("x", []byte(line), traces()); (len(found) > 0) != wrong {
			t.Errorf("%q: %v", line, found)
		}
	}
}
