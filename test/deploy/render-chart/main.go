// Renders the templates of a Helm chart as Helm does, as far as the chart uses it: Go's templates, sprig's functions, and
// include, toYaml, toJson and fail. It stands in for Helm where there is none.
//
//	GO111MODULE=off go run . <chart> <values.yaml to lay over the chart's own> <release name>
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

// files is the chart's .Files.
type files string

func (folder files) Get(name string) string {
	text, err := os.ReadFile(filepath.Join(string(folder), name))
	check(err)
	return string(text)
}

func main() {
	chart, over, release := os.Args[1], os.Args[2], os.Args[3]
	merged := merge(read(filepath.Join(chart, "values.yaml")), read(over))
	about := read(filepath.Join(chart, "Chart.yaml"))
	root := values{
		"Values":  merged,
		"Chart":   values{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": values{"Name": release, "Namespace": "default", "Service": "Helm"},
		"Files":   files(chart),
	}
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(sprig.TxtFuncMap()).Funcs(functions(all))
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	sort.Strings(paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		_, err = all.New(filepath.Base(path)).Parse(string(text))
		check(err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out bytes.Buffer
		check(all.ExecuteTemplate(&out, name, root))
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(out.String()) != "" {
			fmt.Printf("---\n# %s\n%s\n", name, out.String())
		}
	}
}

func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"toYaml": func(value interface{}) (string, error) {
			out, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(out), "\n"), err
		},
		"toJson": func(value interface{}) (string, error) {
			out, err := json.Marshal(value)
			return string(out), err
		},
		"fail": func(message string) (string, error) { return "", fmt.Errorf("%s", message) },
	}
}

func read(path string) values {
	text, err := os.ReadFile(path)
	check(err)
	out := values{}
	check(yaml.Unmarshal(text, &out))
	return out
}

// merge lays one over the other: mappings key by key, everything else whole, as Helm does.
func merge(base, over values) values {
	for key, value := range over {
		inner, isMap := value.(values)
		if below, ok := base[key].(values); ok && isMap {
			base[key] = merge(below, inner)
		} else {
			base[key] = value
		}
	}
	return base
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
