// Draws Bokeh figures from two traits: `items`, the figures, and `state`, the latest snapshot of their data.
// The state lives in the model, so a second view, or the same one after a reload, shows what is true now.

function library() {
  globalThis.smlnb ??= {};
  const shelf = globalThis.smlnb;
  shelf.bokeh ??= new Promise((give, fail) => Object.assign(shelf, { give, fail }));
  return shelf.bokeh;
}

function apply(state, roots) {
  for (const root of roots) {
    for (const [name, attributes] of Object.entries(state)) {
      root.document?.get_model_by_name(name)?.setv(attributes);
    }
  }
}

function forget(Bokeh, roots) {
  for (const root of roots) {
    const at = Bokeh.documents.indexOf(root.document);
    if (at >= 0) Bokeh.documents.splice(at, 1);
    root.document?.clear();
  }
}

// Bokeh draws only into what is part of the page; a view is built before it is put there, and some notebooks put it there
// only when it is scrolled to.
async function attached(el, gone) {
  while (!el.isConnected && !gone()) await new Promise((soon) => setTimeout(soon, 30));
}

function complain(el, error) {
  const line = document.createElement("div");
  line.className = "smlnb-error";
  line.setAttribute("role", "alert");
  line.textContent = `The plots can't be drawn: ${error}`;
  el.append(line);
}

async function embed(Bokeh, { item, label }, el) {
  const cell = document.createElement("div");
  cell.className = "smlnb-figure";
  cell.setAttribute("role", "img");
  cell.setAttribute("aria-label", label);
  el.append(cell);
  const views = await Bokeh.embed.embed_item(item, cell);
  return views.roots[0].model;
}

async function render({ model, el }) {
  let Bokeh;
  el.classList.add("smlnb-figures");
  try {
    Bokeh = await library();
  } catch (error) {
    complain(el, `BokehJS did not load (${error}).`);
    return;
  }
  let roots = [];
  let gone = false;
  let turn = Promise.resolve();

  const drawNow = async () => {
    forget(Bokeh, roots);
    roots = [];
    el.replaceChildren();
    el.style.setProperty("--smlnb-figure-width", model.get("narrowest"));
    for (const figure of model.get("items")) {
      await attached(el, () => gone);
      if (gone) return;
      roots.push(await embed(Bokeh, figure, el));
    }
    apply(model.get("state"), roots);
  };
  const next = (step) => {
    turn = turn.then(step).catch((error) => complain(el, error));
  };
  const draw = () => next(drawNow);
  const update = () => next(() => apply(model.get("state"), roots));
  model.on("change:items", draw);
  model.on("change:state", update);
  draw();
  return () => {
    gone = true;
    model.off("change:items", draw);
    model.off("change:state", update);
    next(() => forget(Bokeh, roots));
  };
}

export default { render };
