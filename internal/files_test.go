package internal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// traces are what a file must not say, because it would only be true on one machine or for one company.
func traces() map[string]*regexp.Regexp {
	hosts := []string{
		`proxy\.golang\.org`, `sum\.golang\.org`, `goproxy\.[a-z]+`, `registry\.npmjs\.org`, `registry\.yarnpkg\.com`, `pypi\.org`, `files\.pythonhosted\.org`,
		`crates\.io`, `rubygems\.org`, `repo1?\.maven\.(?:apache\.)?org`, `(?:deb|security)\.debian\.org`, `hub\.docker\.com`,
		`GOPROXY=\S*http`, `--index-url`, `npm_config_registry`,
	}
	return map[string]*regexp.Regexp{
		"names a package registry":        regexp.MustCompile(`(?i)(?:` + strings.Join(hosts, "|") + `)`),
		"names a folder of one machine":   regexp.MustCompile(`(?:^|[\s"'=(,:\x60])/(?:work|root|Users|home/(?:[a-z]+)/(?:src|go|git))/`),
		"names a temporary file directly": regexp.MustCompile(`(?:^|[\s"'=(,\x60])/tmp/[A-Za-z0-9_]`),
	}
}

// findTraces looks through one file; a line may show what it must only when it is one of the patterns themselves.
func findTraces(name string, content []byte) (findings []string) {
	for i, line := range bytes.Split(content, []byte("\n")) {
		for what, pattern := range traces() {
			if match := pattern.Find(line); match != nil {
				findings = append(findings, fmt.Sprintf("%s:%d %s: %q", name, i+1, what, match))
			}
		}
	}
	return findings
}

func TestNoFileKnowsOneMachineOrRegistry(t *testing.T) {
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
		for _, finding := range findTraces(name, content) {
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
		`data := "/tmp/neap-test"`:             true,
		`dir=$(mktemp -d)`:                     false,
		`COPY . /root/src`:                     true,
		`"url": "/aws/ec2/group/ID/root/x"`:    false,
		`GOPROXY=https://mirror.example.org`:   true,
		`pip install --index-url x`:            true,
		`see https://registry.npmjs.org/x`:     true,
		`go get github.com/spf13/cobra`:        false,
		`#!/bin/bash` + "\n" + `cd /work/app`: true,
	} {
		if found := findTraces("x", []byte(line)); (len(found) > 0) != wrong {
			t.Errorf("%q: %v", line, found)
		}
	}
}
