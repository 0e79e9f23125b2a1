"""The head of a chapter's source, as the tests write chapters of their own."""

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
compendium:
  inputs: [{inputs}]
  outputs: [{outputs}]
---

# {title}

```{{code-cell}} ipython3
:tags: [parameters, hide-input]

{parameters}
```

"""


def chapter_source(code, *, inputs="", outputs="", title="A chapter", parameters=""):
    """Return a chapter whose cells hold the pieces of `code`."""
    head = HEAD.format(inputs=inputs, outputs=outputs, title=title, parameters=parameters)
    return head + "\n".join(f"```{{code-cell}} ipython3\n{cell}\n```\n" for cell in code)
