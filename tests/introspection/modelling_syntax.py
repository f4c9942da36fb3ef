"""The parts of a generated module: only imports, classes and calls of known functions."""

from __future__ import annotations

import ast
import unicodedata

MODULES = {
    "django.db": {"models"},
    "django_mongodb_backend.fields": {"ObjectIdAutoField", "ObjectIdField"},
    "django_mongodb_backend.models": {"EmbeddedModel"},
    "djongo_services.documentfields": {
        "ArrayField",
        "EmbeddedModelArrayField",
        "EmbeddedModelField",
    },
    "djongo_services.indexes": {
        "GeoIndex",
        "HashedIndex",
        "MongoIndex",
        "SparseIndex",
        "TTLIndex",
        "TextIndex",
        "UniqueIndex",
        "WildcardIndex",
    },
    "djongo_services.modelfields": {"BSONField", "Decimal128Field"},
    "djongo_services.objectids": {"BSONObjectIdField"},
    "djongo_services.schema.options": {"TimeSeries", "collection_options"},
}
CALLED_OF_MODELS = {
    "BigIntegerField",
    "BinaryField",
    "BooleanField",
    "CharField",
    "DateTimeField",
    "DecimalField",
    "FloatField",
    "ForeignKey",
    "Index",
    "IntegerField",
    "JSONField",
    "OneToOneField",
    "Q",
    "SmallIntegerField",
    "TextField",
    "UniqueConstraint",
    "UUIDField",
}
OPTIONS = {"managed", "db_table", "indexes", "constraints", "verbose_name_plural"}


def assert_inert(text: str) -> ast.Module:
    """Refuse every node that is not on the list, and every character that hides what it does."""
    tree = ast.parse(text)
    for letter in text:
        assert letter == "\n" or letter.isprintable(), hex(ord(letter))
    docstring, *statements = tree.body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    classes: set[str] = set()
    for statement in statements:
        match statement:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                assert {alias.name for alias in names} <= MODULES[module]
                assert all(alias.asname is None for alias in names)
            case ast.ClassDef():
                _assert_class(statement, classes)
                classes.add(statement.name)
            case _:
                raise AssertionError(ast.dump(statement))
    return tree


def _assert_class(declaration: ast.ClassDef, classes: set[str]) -> None:
    for decorator in declaration.decorator_list:
        assert isinstance(decorator, ast.Call)
        assert ast.unparse(decorator.func) == "collection_options"
        _assert_value(decorator, classes)
    assert declaration.keywords == []
    assert [ast.unparse(base) for base in declaration.bases] in (
        ["models.Model"],
        ["EmbeddedModel"],
    )
    assert declaration.name.lower() not in {name.lower() for name in classes}
    *fields, meta = [each for each in declaration.body if not isinstance(each, ast.FunctionDef)]
    names = [_assert_assignment(field, classes) for field in fields]
    for method in declaration.body:
        if isinstance(method, ast.FunctionDef):
            shown = ast.unparse(method).removeprefix("def __str__(self):\n    return self.")
            assert shown.removesuffix(" or str(self.pk)") in names
    assert len(set(names)) == len(names)
    assert isinstance(meta, ast.ClassDef)
    assert (meta.name, meta.bases, meta.keywords) == ("Meta", [], [])
    for option in meta.body:
        assert _assert_assignment(option, classes) in OPTIONS


def _assert_assignment(statement: ast.stmt, classes: set[str]) -> str:
    assert isinstance(statement, ast.Assign), ast.dump(statement)
    (target,) = statement.targets
    assert isinstance(target, ast.Name)
    assert target.id == unicodedata.normalize("NFKC", target.id)
    _assert_value(statement.value, classes)
    return target.id


def _assert_value(value: ast.expr, classes: set[str]) -> None:
    match value:
        case ast.Constant(value=None | bool() | int() | str()):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            pass
        case ast.Name(id=name):
            assert name in classes
        case ast.Dict(keys=keys, values=values):
            assert all(isinstance(key, ast.Constant) for key in keys)
            for item in values:
                _assert_value(item, classes)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                _assert_value(item, classes)
        case ast.Attribute(value=ast.Name(id="models"), attr="DO_NOTHING"):
            pass
        case ast.Call(func=function, args=arguments, keywords=keywords):
            _assert_function(function)
            for argument in [*arguments, *(keyword.value for keyword in keywords)]:
                _assert_value(argument, classes)
            assert all(keyword.arg for keyword in keywords)
        case _:
            raise AssertionError(ast.dump(value))


def _assert_function(function: ast.expr) -> None:
    match function:
        case ast.Attribute(value=ast.Name(id="models"), attr=name):
            assert name in CALLED_OF_MODELS
        case ast.Name(id=name):
            assert any(name in names for names in MODULES.values())
        case _:
            raise AssertionError(ast.dump(function))


def body(collection: str, text: str) -> str:
    """The class of a collection, without the lines above it."""
    classes = text.split("\n\n\n")
    found = next(each for each in classes if f'db_table = "{collection}"' in each)
    return found[found.index("class ") :].strip()
