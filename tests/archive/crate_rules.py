"""What the specifications require of ro-crate-metadata.json, one check for each MUST that applies to an archive: RO-Crate
1.1, and the profiles Process, Workflow and Provenance Run Crate 0.5, which build on Workflow RO-Crate 1.0."""
import datetime
import urllib.parse

RO_CRATE = 'https://w3id.org/ro/crate/1.1'
PROFILES = ['https://w3id.org/ro/wfrun/process/0.5', 'https://w3id.org/ro/wfrun/workflow/0.5',
            'https://w3id.org/ro/wfrun/provenance/0.5', 'https://w3id.org/workflowhub/workflow-ro-crate/1.0']


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def ids(value):
    return [item['@id'] for item in listed(value)]


def broken_rules(crate, names):
    """Sentences about what is wrong. @names: of all files of the crate."""
    wrong = []

    def must(good, rule):
        if not good:
            wrong.append(rule)

    graph = crate.get('@graph', [])
    entities = {entity.get('@id'): entity for entity in graph}
    types = {name: listed(entity.get('@type')) for name, entity in entities.items()}
    of_type = lambda kind: [entity for entity in graph if kind in listed(entity.get('@type'))]

    # RO-Crate 1.1: structure, metadata, root data entity, data entities.
    must('ro-crate-metadata.json' in names, 'the metadata file is called ro-crate-metadata.json')
    must('https://w3id.org/ro/crate/1.1/context' in listed(crate.get('@context')), 'the context is that of the specification')
    must(len(entities) == len(graph), 'each @id is there once')
    must(all(entity.get('@id') and entity.get('@type') for entity in graph), 'each entity has @id and @type')
    must(all(not isinstance(value, dict) or set(value) == {'@id'} for entity in graph for item in entity.values()
             for value in listed(item)), 'entities are flat: others are referred to by @id alone')
    descriptor = entities.get('ro-crate-metadata.json', {})
    must(descriptor.get('@type') == 'CreativeWork', 'the descriptor is a CreativeWork')
    must(ids(descriptor.get('about')) == ['./'], 'the descriptor is about the root')
    must(RO_CRATE in ids(descriptor.get('conformsTo')), 'the descriptor conforms to a version of RO-Crate')
    root = entities.get('./', {})
    must(root.get('@type') == 'Dataset', 'the root is a Dataset')
    must(root.get('name') and root.get('description'), 'the root has name and description')
    must(root.get('license') is not None, 'the root has a license')
    try:
        datetime.datetime.fromisoformat(root.get('datePublished', '').replace('Z', '+00:00'))
    except ValueError:
        must(False, 'the root has a datePublished in ISO 8601')
    files = {entity['@id'] for entity in of_type('File')}
    must(files <= set(ids(root.get('hasPart'))), 'every file is a part of the root')
    must(all(urllib.parse.unquote(name) in names for name in files), 'every file is there')
    must(all(f'{urllib.parse.quote(name)}' in files for name in names - {'ro-crate-metadata.json'}),
         'every payload file is described')
    must(all(name in entities for entity in graph for key, item in entity.items() if key != '@type'
             for value in listed(item) if isinstance(value, dict) for name in [value.get('@id')]
             if not (name or '').startswith('https://w3id.org/ro/crate/')), 'what is referred to is there')

    # Workflow RO-Crate 1.0.
    workflow = entities.get((ids(root.get('mainEntity')) or [''])[0], {})
    must({'File', 'SoftwareSourceCode', 'ComputationalWorkflow'} <= set(listed(workflow.get('@type'))),
         'the main entity is a workflow')
    must('ComputerLanguage' in types.get((ids(workflow.get('programmingLanguage')) or [''])[0], []),
         'the workflow has a programmingLanguage')

    # Process and Workflow Run Crate 0.5.
    must(set(PROFILES) <= set(ids(root.get('conformsTo'))), 'the root conforms to the profiles')
    must(all('CreativeWork' in types.get(profile, []) for profile in PROFILES), 'profiles are CreativeWorks')
    actions = of_type('CreateAction')
    must(all(len(ids(action.get('instrument'))) == 1 for action in actions), 'each action has an instrument')
    runs = [action for action in actions if ids(action.get('instrument')) == [workflow.get('@id')]]
    must(len(runs) == 1, 'an action has the workflow as its instrument')
    must({action['@id'] for action in actions} <= set(ids(root.get('mentions'))), 'actions are mentioned by the root')
    must(all('additionalType' in parameter for parameter in of_type('FormalParameter')), 'formal parameters have a type')

    # Provenance Run Crate 0.5.
    tools = set(ids(workflow.get('hasPart')))
    steps = ids(workflow.get('step'))
    must('HowTo' in listed(workflow.get('@type')), 'a workflow with steps is a HowTo')
    must(all({'SoftwareApplication', 'SoftwareSourceCode', 'ComputationalWorkflow'} & set(types.get(tool, []))
             for tool in tools), 'the workflow has its tools as parts')
    must(all(set(ids(action['instrument'])) <= tools for action in actions if action not in runs),
         'every other action is that of a tool of the workflow')
    must(set(steps) == {step['@id'] for step in of_type('HowToStep')}, 'the workflow refers to its steps')
    must(all(set(ids(entities.get(step, {}).get('workExample'))) & tools for step in steps), 'each step refers to its tool')
    controls = of_type('ControlAction')
    must(sorted(name for control in controls for name in ids(control.get('instrument'))) == sorted(steps),
         'each step has a control action')
    must(all('CreateAction' in types.get((ids(control.get('object')) or [''])[0], []) for control in controls),
         'each control action has the action of its tool as its object')
    must(all(len(ids(action.get('object'))) == len(controls) and ids(action.get('result')) == [run['@id'] for run in runs]
             and 'SoftwareApplication' in types.get((ids(action.get('instrument')) or [''])[0], [])
             for action in of_type('OrganizeAction')), 'the engine has run the workflow by its control actions')
    return wrong
