#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <numpy/arrayobject.h>

extern "C" const char *row_norms(const float *in, float *out, long rows, long columns);

static PyObject *norms(PyObject *, PyObject *argument) {
    PyObject *matrix = PyArray_FROM_OTF(argument, NPY_FLOAT32, NPY_ARRAY_IN_ARRAY);
    if (!matrix) return nullptr;
    PyArrayObject *in = reinterpret_cast<PyArrayObject *>(matrix);
    if (PyArray_NDIM(in) != 2) {
        Py_DECREF(matrix);
        return PyErr_Format(PyExc_ValueError, "norms() takes a matrix");
    }
    npy_intp rows = PyArray_DIM(in, 0);
    PyObject *out = PyArray_SimpleNew(1, &rows, NPY_FLOAT32);
    const char *wrong = out ? row_norms(static_cast<const float *>(PyArray_DATA(in)), static_cast<float *>(PyArray_DATA(reinterpret_cast<PyArrayObject *>(out))), rows, PyArray_DIM(in, 1)) : nullptr;
    Py_DECREF(matrix);
    if (wrong) {
        Py_DECREF(out);
        return PyErr_Format(PyExc_RuntimeError, "%s", wrong);
    }
    return out;
}

static PyMethodDef methods[] = {{"norms", norms, METH_O, "The Euclidean norms of a matrix's rows."}, {nullptr, nullptr, 0, nullptr}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "flashnorm", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_flashnorm(void) {
    import_array();
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddStringConstant(module, "built_for", BUILT_FOR) < 0) Py_CLEAR(module);
    return module;
}
