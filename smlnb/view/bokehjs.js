// Gives the page BokehJS, once, out of the kernel: no network, and nothing of it in the saved notebook.
// Figures wait for the promise, so that it does not matter which widget the page builds first.

function shelf() {
  globalThis.smlnb ??= {};
  const shelf = globalThis.smlnb;
  shelf.bokeh ??= new Promise((give, fail) => Object.assign(shelf, { give, fail }));
  return shelf;
}

async function unpacked(model) {
  const packed = model.get("packed");
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function load(model) {
  const version = model.get("version");
  if (globalThis.Bokeh?.version !== version && globalThis.Bokeh?.[version] === undefined) {
    const script = document.createElement("script");
    script.textContent = await unpacked(model);
    document.head.append(script);
    script.remove();
  }
  return globalThis.Bokeh[version] ?? globalThis.Bokeh;
}

export default {
  async initialize({ model }) {
    const { give, fail, loading } = Object.assign(shelf(), { loading: shelf().loading ?? load(model) });
    await loading.then(give, fail);
  },
};
